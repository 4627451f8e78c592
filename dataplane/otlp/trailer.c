// How status texts and details travel in gRPC trailers: percent signs and base64.
#include "dataplane/otlp/status.h"

static bool stays(uint8_t byte)
{
    return byte >= 0x20 && byte <= 0x7e && byte != '%';
}

size_t sw_grpc_message_encode(struct sw_bytes text, char *out, size_t capacity)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        size += stays(text.data[i]) ? 1 : 3;
    }
    if (size > capacity) {
        return size;
    }
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (stays(byte)) {
            *out++ = (char)byte;
        } else {
            *out++ = '%';
            *out++ = digits[byte >> 4];
            *out++ = digits[byte & 15];
        }
    }
    return size;
}

/* @return -1 when it is no hexadecimal digit */
static int hex(uint8_t digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

size_t sw_grpc_message_decode(struct sw_bytes text, uint8_t *out)
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '%' && text.size - i > 2) {
            int high = hex(text.data[i + 1]);
            int low = hex(text.data[i + 2]);
            if (high >= 0 && low >= 0) {
                byte = (uint8_t)(high << 4 | low);
                i += 2;
            }
        }
        out[size++] = byte;
    }
    return size;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t sw_base64_encode(struct sw_bytes bytes, bool padded, char *out, size_t capacity)
{
    size_t rest = bytes.size % 3;
    size_t size = bytes.size / 3 * 4;
    if (rest > 0) {
        size += padded ? 4 : rest + 1;
    }
    if (size > capacity) {
        return size;
    }
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        group |= left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        group |= left > 2 ? bytes.data[i + 2] : 0;
        *out++ = alphabet[group >> 18];
        *out++ = alphabet[group >> 12 & 63];
        if (left > 1) {
            *out++ = alphabet[group >> 6 & 63];
        } else if (padded) {
            *out++ = '=';
        }
        if (left > 2) {
            *out++ = alphabet[group & 63];
        } else if (padded) {
            *out++ = '=';
        }
    }
    return size;
}

/* @return -1 when it is not of the alphabet */
static int sextet(uint8_t letter)
{
    if (letter >= 'A' && letter <= 'Z') {
        return letter - 'A';
    }
    if (letter >= 'a' && letter <= 'z') {
        return letter - 'a' + 26;
    }
    if (letter >= '0' && letter <= '9') {
        return letter - '0' + 52;
    }
    if (letter == '+') {
        return 62;
    }
    return letter == '/' ? 63 : -1;
}

int sw_base64_decode(struct sw_bytes text, uint8_t *out, size_t *ret_size)
{
    size_t letters = text.size;
    // Padding is looked for where the length allows it, as grpc-go does.
    if (letters > 0 && letters % 4 == 0) {
        for (unsigned i = 0; i < 2 && text.data[letters - 1] == '='; i++) {
            letters--;
        }
    }
    if (letters % 4 == 1) {
        return SW_E_MALFORMED;
    }
    size_t size = 0;
    uint32_t group = 0;
    for (size_t i = 0; i < letters; i++) {
        int value = sextet(text.data[i]);
        if (value < 0) {
            return SW_E_MALFORMED;
        }
        group = group << 6 | (uint32_t)value;
        if (i % 4 == 3) {
            out[size++] = (uint8_t)(group >> 16);
            out[size++] = (uint8_t)(group >> 8);
            out[size++] = (uint8_t)group;
            group = 0;
        }
    }
    if (letters % 4 == 2) {
        out[size++] = (uint8_t)(group >> 4);
    } else if (letters % 4 == 3) {
        out[size++] = (uint8_t)(group >> 10);
        out[size++] = (uint8_t)(group >> 2);
    }
    *ret_size = size;
    return SW_OK;
}
