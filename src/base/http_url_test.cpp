#include "base/http_url.h"

#include <gtest/gtest.h>

namespace minimill {
namespace {

bool allows(std::string_view allowed, std::string_view url) {
  return lies_under(parse_http_url(url).value(), parse_http_url(allowed).value());
}

TEST(HttpUrl, ItsPartsAreTakenApart) {
  const HttpUrl url = parse_http_url("HTTPS://Hooks.Example.com/a/b?c=d").value();

  EXPECT_TRUE(url.tls);
  EXPECT_EQ(url.host, "hooks.example.com");
  EXPECT_EQ(url.port, 443);
  EXPECT_EQ(url.path, "/a/b");
  EXPECT_EQ(url.query, "c=d");
  EXPECT_EQ(parse_http_url("http://[::1]:81").value().host, "[::1]");
  EXPECT_EQ(parse_http_url("http://h?x").value().path, "/");
}

TEST(HttpUrl, WhatTwoCouldReadInTwoWaysIsRefused) {
  for (const char* text :
       {"", "http://", "ftp://h/", "//h/", "http://u:p@h/", "http://h:0/", "http://h:99999/",
        "http://h:8a/", "http://h/\\x", "http://h/ x", "http://h/#f", "http://h/a/../b",
        "http://h/%2E%2e/b", "http://h/.", "http://h\r\nx", "http://[::1", "http://[]/",
        "http://h:/", "http://\xc3\xa4/"}) {
    EXPECT_FALSE(parse_http_url(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_http_url("http://h/" + std::string(kMaxUrlBytes, 'a')).has_value());
}

TEST(HttpUrl, AllowingAnOriginAllowsNoOtherThatBeginsLikeIt) {
  EXPECT_TRUE(allows("http://127.0.0.1:90", "http://127.0.0.1:90/hook?x=1"));
  EXPECT_TRUE(allows("http://h", "http://H:80/"));
  EXPECT_FALSE(allows("http://127.0.0.1:90", "http://127.0.0.1:9000/"));
  EXPECT_FALSE(allows("http://127.0.0.1", "http://127.0.0.1.evil.example/"));
  EXPECT_FALSE(allows("https://h", "http://h/"));
  EXPECT_FALSE(allows("https://h", "http://h:443/"));
}

TEST(HttpUrl, AllowingAPathAllowsWhatLiesBelowItOnly) {
  EXPECT_TRUE(allows("http://h/hooks", "http://h/hooks"));
  EXPECT_TRUE(allows("http://h/hooks", "http://h/hooks/a"));
  EXPECT_TRUE(allows("http://h/hooks/", "http://h/hooks/a"));
  EXPECT_FALSE(allows("http://h/hooks", "http://h/hooks2"));
  EXPECT_FALSE(allows("http://h/hooks/", "http://h/other"));
}

TEST(HttpUrl, OnlyThisMachineIsLoopback) {
  for (const char* text :
       {"http://127.0.0.1", "http://127.9.9.9:80/x", "http://[::1]/", "http://LOCALHOST:1/"}) {
    EXPECT_TRUE(is_loopback(parse_http_url(text).value())) << text;
  }
  for (const char* text :
       {"http://127.0.0.1.evil.example", "http://127.1", "http://10.0.0.1", "http://127.0.0.256",
        "http://127.0.0.1.5", "http://localhost.example", "http://[::2]/"}) {
    EXPECT_FALSE(is_loopback(parse_http_url(text).value())) << text;
  }
}

}  // namespace
}  // namespace minimill
