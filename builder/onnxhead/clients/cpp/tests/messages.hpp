#pragma once

#include <gtest/gtest.h>

#include <string>

/// Expects a call to throw an exception whose message has a text in it.
template <typename Exception, typename Call>
void expect_message(const std::string& text, const Call& call) {
    try {
        call();
        ADD_FAILURE() << "nothing is thrown that says: " << text;
    } catch (const Exception& error) {
        EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    }
}
