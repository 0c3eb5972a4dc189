/* What the parts of the fuzz harness share. */
#ifndef FLAN_FUZZ_H
#define FLAN_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The name is libFuzzer's, so that it can drive this too. Any bytes are an input; aborts where something is wrong. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold; the input that breaks it is kept. */
#define REQUIRE(condition)                                                          \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                \
        }                                                                           \
    } while (0)

/* An input as it is read: zeros come behind its end. */
struct input {
    const uint8_t *at;
    size_t left;
};

uint8_t take_byte(struct input *input);
uint32_t take_word(struct input *input);

/* What is put right in a packet, so that it comes further than its first check. */
enum { MEND_HEADER = 1, MEND_TRANSPORT = 2, MEND_TO_IPV6 = 4 };

/* 6 where it says so, and 4 where it says anything else. */
uint32_t family_of(const uint8_t *packet, size_t length);

/* `length` bytes, or what is left of them, in memory of exactly that size, which is the caller's to free. */
uint8_t *take_packet(struct input *input, uint32_t *length, uint8_t mend);

/* Whether an unfragmented TCP or UDP packet has a right checksum; true for others. */
bool is_intact_transport(const uint8_t *packet, uint32_t length);

/* A number over everything that was computed, to compare processors and compilers by. */
extern uint64_t digest;
void observe(const void *bytes, size_t length);
void observe_number(uint64_t number);

void fuzz_join(struct input *input);
void fuzz_table(struct input *input);

/* Random numbers that depend on nothing but the seed (xorshift64*, Vigna 2016). */
struct random {
    uint64_t state;
};
uint32_t random_below(struct random *random, uint32_t limit);

#define INPUT_MOST (80u << 10)

/* Writes a structured random input of at most INPUT_MOST bytes, and returns its length. */
size_t make_input(struct random *random, uint8_t *out);
/* The same about a given packet. */
size_t make_input_with(struct random *random, uint8_t *out, const uint8_t *packet, size_t length);
/* Damages an input here and there; returns its length. */
size_t mutate_input(struct random *random, uint8_t *bytes, size_t length);

#endif
