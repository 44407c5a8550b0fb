#include "base/slots.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

enum { PLACES_FIRST = 16 };

static const uint32_t no_place = UINT32_MAX;

void slots_init(struct slots *s, size_t count_max)
{
    assert(count_max >= 1 && count_max < UINT32_MAX);
    *s = (struct slots){.first_free = no_place, .count_max = (uint32_t)count_max};
}

void slots_deinit(struct slots *s)
{
    free(s->places);
    *s = (struct slots){.first_free = no_place};
}

/* Room for one more place. Retired places count on top of count_max, as far as an index reaches. */
static bool grow(struct slots *s)
{
    if (s->places_used < s->places_cap) {
        return true;
    }
    uint64_t limit = (uint64_t)s->count_max + s->places_retired;
    limit = limit < no_place ? limit : no_place;
    uint64_t cap = s->places_cap == 0 ? PLACES_FIRST : (uint64_t)s->places_cap * 2;
    cap = cap < limit ? cap : limit;
    if (cap <= s->places_used || cap > SIZE_MAX / sizeof(struct slots_place)) {
        return false;
    }
    struct slots_place *places = realloc(s->places, (size_t)cap * sizeof(struct slots_place));
    if (places == NULL) {
        return false;
    }
    s->places = places;
    s->places_cap = (uint32_t)cap;
    return true;
}

uint64_t slots_insert(struct slots *s, void *item)
{
    assert(item != NULL);
    uint32_t index = s->first_free;
    if (index != no_place) {
        s->first_free = s->places[index].next_free;
    } else {
        if (!grow(s)) {
            return 0;
        }
        index = s->places_used++;
        s->places[index].generation = 1;
    }
    struct slots_place *place = &s->places[index];
    assert(place->generation != 0 && s->count < s->count_max);
    place->item = item;
    place->next_free = no_place;
    s->count++;
    return (uint64_t)place->generation << 32 | index;
}

void *slots_remove(struct slots *s, uint64_t id)
{
    void *item = slots_get(s, id);
    if (item == NULL) {
        return NULL;
    }
    uint32_t index = (uint32_t)id;
    struct slots_place *place = &s->places[index];
    place->item = NULL;
    place->generation++;
    s->count--;
    if (place->generation == 0) {
        s->places_retired++;
    } else {
        place->next_free = s->first_free;
        s->first_free = index;
    }
    return item;
}

void *slots_next(const struct slots *s, size_t *cursor)
{
    while (*cursor < s->places_used) {
        void *item = s->places[(*cursor)++].item;
        if (item != NULL) {
            return item;
        }
    }
    return NULL;
}
