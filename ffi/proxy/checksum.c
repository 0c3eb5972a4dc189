#include "checksum.h"

#include "packet.h"

#include <arpa/inet.h>

/* The compiler vectorizes the loop, for AVX2 too where the processor has it; on arm64 NEON is always there. */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

WIDE static uint64_t add_words(const uint8_t *bytes, size_t words)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < words; i++) {
        uint32_t word;
        memcpy(&word, bytes + 4 * i, 4);
        sum += word;
    }
    return sum;
}

uint64_t checksum_add(uint64_t sum, const uint8_t *bytes, size_t length)
{
    sum += add_words(bytes, length / 4);
    uint16_t pair = 0;
    const uint8_t *rest = bytes + length / 4 * 4;
    if (length & 2) {
        memcpy(&pair, rest, 2);
        sum += pair;
        rest += 2;
    }
    if (length & 1) {
        pair = 0;
        memcpy(&pair, rest, 1); /* as if a zero byte followed */
        sum += pair;
    }
    return sum;
}

uint16_t checksum_fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

uint64_t checksum_pseudo(const uint8_t *packet, uint8_t protocol, uint32_t length)
{
    uint64_t sum = is_ipv6(packet) ? checksum_add(0, packet + 8, 32) : checksum_add(0, packet + 12, 8);
    return sum + htons(protocol) + htons((uint16_t)length);
}
