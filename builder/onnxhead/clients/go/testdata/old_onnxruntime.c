// An onnxruntime as it looks to a program that needs a newer one: GetApi knows none of the asked version.
#include <stddef.h>
#include <stdint.h>

static const void *get_api(uint32_t version) { (void)version; return NULL; }
static const char *get_version_string(void) { return "1.0.0"; }

static const struct {
  const void *(*get_api)(uint32_t);
  const char *(*get_version_string)(void);
} base = {get_api, get_version_string};

const void *OrtGetApiBase(void) { return &base; }
