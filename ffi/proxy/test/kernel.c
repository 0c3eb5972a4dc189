/* What the script says, and what is told of the calls. */
#define _GNU_SOURCE
#include "kernel.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One that has run for a while. */
struct kernel kernel = {.family = 4, .offloads = ~0u, .mtu = 1500, .most = ~0u, .now = 1000000000000u};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* In a flood a lock would order what the threads do, and hide from a sanitizer what orders nothing. */
void kernel_lock(void)
{
    if (!kernel.flood)
        pthread_mutex_lock(&lock);
}

void kernel_unlock(void)
{
    if (!kernel.flood)
        pthread_mutex_unlock(&lock);
}

void kernel_wake(void)
{
    pthread_cond_broadcast(&changed);
}

void kernel_await_idle(uint32_t threads, const bool *over)
{
    pthread_mutex_lock(&lock);
    while (kernel.idle < threads && !*over)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static bool applies(const struct rule *rule, struct asked asked)
{
    return !rule->spent && strcmp(rule->call, asked.call) == 0 &&
           (strcmp(rule->kind, "any") == 0 || strcmp(rule->kind, asked.kind) == 0) &&
           (rule->over == 0 || asked.length > rule->over) && (address_equal(rule->to, (struct address){{0, 0}}) || address_equal(asked.to, rule->to));
}

int kernel_refusal(struct asked asked, bool taken)
{
    for (uint32_t i = 0; i < kernel.rule_count; i++) {
        struct rule *rule = &kernel.rules[i];
        if (!applies(rule, asked))
            continue;
        if (rule->skip > 0) {
            rule->skip -= taken;
            continue;
        }
        if (taken && rule->times > 0)
            rule->spent = --rule->times == 0;
        return rule->error;
    }
    return 0;
}

int kernel_refuse(struct asked asked)
{
    int error = kernel_refusal(asked, true);
    if (error != 0)
        tell("refused %s %s %s", asked.call, asked.kind, strerrorname_np(error));
    return error;
}

void tell(const char *format, ...)
{
    if (kernel.flood)
        return;
    va_list values;
    va_start(values, format);
    vprintf(format, values);
    va_end(values);
    putchar('\n');
}

/* Looks at each byte also where none is told: a sanitizer sees what may not be looked at. */
void tell_bytes(const char *before, const struct iovec *pieces, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    if (!kernel.flood)
        printf("%s ", before);
    for (size_t i = 0; i < count; i++) {
        const volatile uint8_t *bytes = pieces[i].iov_base;
        for (size_t at = 0; at < pieces[i].iov_len; at++) {
            uint8_t byte = bytes[at];
            if (kernel.flood)
                continue;
            putchar_unlocked(digits[byte >> 4]);
            putchar_unlocked(digits[byte & 15]);
        }
    }
    if (!kernel.flood)
        putchar('\n');
}

void expect(bool right, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "kernel: %s\n", what);
    abort();
}
