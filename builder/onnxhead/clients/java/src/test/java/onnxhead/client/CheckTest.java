package onnxhead.client;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class CheckTest {
  @Test
  void goodBundlePasses() {
    assertEquals(0, Check.run("bundle"));
  }

  @Test
  void missingBundleIsRefused() {
    assertEquals(2, Check.run("nowhere"));
  }

  @Test
  void whatIsNotKnownIsRefused() {
    assertEquals(2, Check.run("--tim", "bundle"));
    assertEquals(2, Check.run("--help"));
    assertEquals(2, Check.run("bundle", "bundle"));
  }
}
