#include "sha256.hpp"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <memory>
#include <new>
#include <string_view>
#include <system_error>
#include <vector>

namespace onnxhead {
namespace {

using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

std::string hexadecimal(const unsigned char* bytes, unsigned int size) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (unsigned int i = 0; i < size; ++i) {
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 15];
    }
    return text;
}

void require(bool done) {
    if (!done) {
        throw std::bad_alloc(); // what OpenSSL fails for
    }
}

} // namespace

std::string sha256(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    require(context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
    std::vector<char> block(std::size_t{1} << 16);
    while (file) {
        file.read(block.data(), static_cast<std::streamsize>(block.size()));
        require(EVP_DigestUpdate(context.get(), block.data(),
                                 static_cast<std::size_t>(file.gcount())) == 1);
    }
    if (!file.eof()) {
        throw std::system_error(errno, std::generic_category());
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    require(EVP_DigestFinal_ex(context.get(), digest.data(), &size) == 1);
    return hexadecimal(digest.data(), size);
}

} // namespace onnxhead
