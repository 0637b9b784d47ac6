/* Times that were seen, and their quantiles. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLES = 1 << 22 }; /* more are not kept: two minutes of 32,000 tokens a second */

struct samples {
    uint32_t *values; /* ns / 100: seven minutes at most */
    size_t count;
};

static void add(struct samples *s, uint64_t ns) {
    if (!s->values) s->values = malloc(SAMPLES * sizeof *s->values);
    if (s->count < SAMPLES) s->values[s->count++] = ns / 100;
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void print(const char *name, struct samples *s) {
    if (s->count) qsort(s->values, s->count, sizeof *s->values, ascending);
    for (int share = 50; share < 100; share += 49)
        if (s->count) printf(",\"%s_p%d\":%.1f", name, share, s->values[s->count * share / 100] / 10.0);
}
