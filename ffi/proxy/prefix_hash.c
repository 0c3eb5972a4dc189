#include "prefix_hash.h"

#include <errno.h>
#include <stdlib.h>

int prefix_hash_begin(struct prefix_hash *hash, uint32_t count)
{
    hash->bits = 1;
    while (1u << hash->bits < 2 * count)
        hash->bits++;
    hash->slots = calloc((size_t)1 << hash->bits, sizeof *hash->slots);
    return hash->slots == NULL ? -ENOMEM : 0;
}

void prefix_hash_add(struct prefix_hash *hash, struct address prefix, uint32_t length, uint32_t value)
{
    uint32_t last = (1u << hash->bits) - 1;
    uint32_t at = prefix_hash_slot(hash, prefix, length);
    while (hash->slots[at].value != 0)
        at = (at + 1) & last;
    hash->slots[at] = (struct prefix_slot){prefix, length, value};
    if (hash->length_count == 0 || hash->lengths[hash->length_count - 1].length != length)
        hash->lengths[hash->length_count++] = (struct prefix_length){address_mask(length), length};
}

void prefix_hash_free(struct prefix_hash *hash)
{
    free(hash->slots);
}
