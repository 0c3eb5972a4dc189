/* Reading a script: words in lines. Nonsense in it ends the test with exit 2. */
#ifndef FLAN_TEST_WORKER_SCRIPT_H
#define FLAN_TEST_WORKER_SCRIPT_H

#include "address.h"

#include <stdbool.h>
#include <stdint.h>

/* What is left of a line. */
struct words {
    char *rest;
};

/* The next word; the script must have one more. */
char *take_word(struct words *words);
uint64_t take_number(struct words *words, uint64_t most);
/* An address of the kernel's family. */
struct address take_address(struct words *words);
bool has_words(const struct words *words);

/* Takes a line that says how the kernel is; false where `what` is about something else. */
bool script_kernel(const char *what, struct words *words);

#endif
