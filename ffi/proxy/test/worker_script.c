/*
 * Lines that say how the kernel is:
 *   refuse CALL KIND ERRNO [times=N] [skip=N] [over=BYTES] [to=ADDRESS]
 *   frame HEX                        the TUN hands it over, with its offload header
 *   datagram ADDRESS PORT CONTROL HEX  comes to the socket from there; CONTROL: none, other, or what UDP_GRO tells
 *   family 4|6                       of all addresses that follow; 4 unless it is said
 *   offloads MASK | mtu BYTES | most MESSAGES | now NANOSECONDS | full | blocking
 */
#define _GNU_SOURCE
#include "worker_script.h"

#include "kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void refuse(const char *what, const char *word)
{
    fprintf(stderr, "worker: %s: \"%s\"\n", what, word);
    exit(2);
}

bool has_words(const struct words *words)
{
    return words->rest != NULL && *words->rest != 0;
}

char *take_word(struct words *words)
{
    char *word = strsep(&words->rest, " \n");
    if (word == NULL)
        refuse("too few words", "");
    return word;
}

static uint64_t number_of(const char *word, uint64_t most)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(word, &end, 0);
    if (errno != 0 || *word == 0 || *end != 0 || number > most)
        refuse("no such number", word);
    return number;
}

uint64_t take_number(struct words *words, uint64_t most)
{
    return number_of(take_word(words), most);
}

static struct address address_of(const char *word)
{
    struct address address = {{0, 0}};
    if (inet_pton(kernel.family == 6 ? AF_INET6 : AF_INET, word, &address) != 1)
        refuse("no address", word);
    return address;
}

struct address take_address(struct words *words)
{
    return address_of(take_word(words));
}

static int errno_of(const char *word)
{
    for (int number = 1; number < 256; number++) {
        const char *name = strerrorname_np(number);
        if (name != NULL && strcmp(name, word) == 0)
            return number;
    }
    refuse("no errno", word);
}

static void take_text(struct words *words, char *text, size_t room)
{
    const char *word = take_word(words);
    if (strlen(word) >= room)
        refuse("too long", word);
    strcpy(text, word);
}

static void take_bytes(struct words *words, struct item *item)
{
    const char *word = take_word(words);
    size_t length = strlen(word) / 2;
    item->bytes = malloc(length + 1);
    if (item->bytes == NULL || length > MOST_BYTES)
        refuse("too long", "hex digits");
    for (size_t i = 0; i < length; i++) {
        char pair[3] = {word[2 * i], word[2 * i + 1], 0};
        item->bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    item->length = length;
}

static struct item *add_item(struct items *items)
{
    if (items->count == MOST_ITEMS)
        refuse("too many", "items");
    return &items->list[items->count++];
}

static void take_rule(struct words *words)
{
    if (kernel.rule_count == MOST_RULES)
        refuse("too many", "rules");
    struct rule *rule = &kernel.rules[kernel.rule_count++];
    take_text(words, rule->call, sizeof rule->call);
    take_text(words, rule->kind, sizeof rule->kind);
    rule->error = errno_of(take_word(words));
    while (has_words(words)) {
        char *value = take_word(words);
        const char *name = strsep(&value, "=");
        if (value == NULL)
            refuse("no value", name);
        if (strcmp(name, "times") == 0)
            rule->times = (uint32_t)number_of(value, UINT32_MAX);
        else if (strcmp(name, "skip") == 0)
            rule->skip = (uint32_t)number_of(value, UINT32_MAX);
        else if (strcmp(name, "over") == 0)
            rule->over = (uint32_t)number_of(value, UINT32_MAX);
        else if (strcmp(name, "to") == 0)
            rule->to = address_of(value);
        else
            refuse("no such name", name);
    }
}

static void take_datagram(struct words *words)
{
    struct item *item = add_item(&kernel.datagrams);
    struct address address = take_address(words);
    item->from = endpoint_of(kernel.family, address, htons((uint16_t)take_number(words, UINT16_MAX)));
    take_text(words, item->control, sizeof item->control);
    take_bytes(words, item);
}

bool script_kernel(const char *what, struct words *words)
{
    if (strcmp(what, "refuse") == 0)
        take_rule(words);
    else if (strcmp(what, "frame") == 0)
        take_bytes(words, add_item(&kernel.frames));
    else if (strcmp(what, "datagram") == 0)
        take_datagram(words);
    else if (strcmp(what, "family") == 0)
        kernel.family = (uint32_t)take_number(words, 6);
    else if (strcmp(what, "offloads") == 0)
        kernel.offloads = (uint32_t)take_number(words, UINT32_MAX);
    else if (strcmp(what, "mtu") == 0)
        kernel.mtu = (uint32_t)take_number(words, UINT32_MAX);
    else if (strcmp(what, "most") == 0)
        kernel.most = (uint32_t)take_number(words, UINT32_MAX);
    else if (strcmp(what, "now") == 0)
        kernel.now = take_number(words, UINT64_MAX);
    else if (strcmp(what, "full") == 0)
        kernel.full = true;
    else if (strcmp(what, "blocking") == 0)
        kernel.blocking = true;
    else
        return false;
    return true;
}
