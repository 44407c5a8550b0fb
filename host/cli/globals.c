#include "cli/globals.h"

#include <stdint.h>
#include <string.h>

enum {
    FUNCTIONS_DEEP_MAX = 200, /* Lua's own limit of nested functions */
    CONSTANTS_SEEN = 256,     /* what an instruction's 8 bit operand reaches */
    UPVALUES_MAX = 256,
    CODE_UNIT = 4,        /* bytes of an instruction */
    ABSOLUTE_LINE = -0x80 /* line info that means: look in the other table */
};

/* The instructions that matter (Lua 5.4). */
enum { OP_LOADK = 3, OP_GETTABUP = 11, OP_SETTABUP = 15, OP_CALL = 68 };

struct dump {
    struct slice left;
    bool ok;
    void (*fn)(void *ctx, enum globals_use use, struct slice name, int line);
    void *ctx;
};

/* What the code of one function refers to. */
struct function {
    struct slice code;
    struct slice constants[CONSTANTS_SEEN]; /* strings; p NULL: another type */
    struct slice upvalues[UPVALUES_MAX];    /* names */
    struct slice lines;                     /* a signed difference an instruction */
    struct slice absolute;                  /* as it stands in the dump: pairs of pc and line */
    uint64_t absolute_count;
    int first_line;
};

static struct slice take(struct dump *d, uint64_t bytes)
{
    struct slice piece = {NULL, 0};
    if (bytes > d->left.len) {
        d->ok = false;
        return piece;
    }
    piece = slice_make(d->left.p, (size_t)bytes);
    d->left = slice_make(d->left.p + bytes, d->left.len - (size_t)bytes);
    return piece;
}

static unsigned take_byte(struct dump *d)
{
    struct slice byte = take(d, 1);
    return byte.len == 1 ? (unsigned char)byte.p[0] : 0;
}

/* Seven bits a byte, highest first; the last one has the top bit set. */
static uint64_t take_number(struct dump *d)
{
    uint64_t value = 0;
    unsigned byte = 0;
    do {
        byte = take_byte(d);
        if (value > UINT64_MAX >> 7) {
            d->ok = false;
        }
        value = value << 7 | (byte & 0x7F);
    } while (d->ok && (byte & 0x80) == 0);
    return value;
}

/* Length + 1, then the bytes; 0: no string. */
static struct slice take_string(struct dump *d)
{
    uint64_t length = take_number(d);
    return length == 0 ? (struct slice){NULL, 0} : take(d, length - 1);
}

static void take_constants(struct dump *d, struct function *f)
{
    uint64_t count = take_number(d);
    for (uint64_t i = 0; d->ok && i < count; i++) {
        unsigned type = take_byte(d);
        struct slice text = {NULL, 0};
        switch (type) {
        case 0x03: /* integer */
        case 0x13: /* float */ (void)take(d, 8); break;
        case 0x04: /* short and long string */
        case 0x14: text = take_string(d); break;
        case 0x00: /* nil, false, true */
        case 0x01:
        case 0x11: break;
        default: d->ok = false; break;
        }
        if (i < CONSTANTS_SEEN) {
            f->constants[i] = text;
        }
    }
}

static void take_debug(struct dump *d, struct function *f)
{
    f->lines = take(d, take_number(d));
    f->absolute_count = take_number(d);
    const char *start = d->left.p;
    for (uint64_t i = 0; d->ok && i < f->absolute_count; i++) {
        (void)take_number(d);
        (void)take_number(d);
    }
    f->absolute = slice_make(start, (size_t)(d->left.p - start));
    uint64_t locals = take_number(d);
    for (uint64_t i = 0; d->ok && i < locals; i++) {
        (void)take_string(d);
        (void)take_number(d);
        (void)take_number(d);
    }
    uint64_t names = take_number(d);
    for (uint64_t i = 0; d->ok && i < names; i++) {
        struct slice name = take_string(d);
        if (i < UPVALUES_MAX) {
            f->upvalues[i] = name;
        }
    }
}

/* The line of an instruction: differences from the function's line on, or from the last absolute
 * entry. */
static int line_of(const struct function *f, size_t pc)
{
    struct dump absolute = {.left = f->absolute, .ok = true};
    int line = f->first_line;
    for (size_t i = 0; i <= pc && i < f->lines.len; i++) {
        int difference = (int8_t)f->lines.p[i];
        if (difference == ABSOLUTE_LINE) {
            (void)take_number(&absolute);
            line = (int)take_number(&absolute);
        } else {
            line += difference;
        }
    }
    return line;
}

static uint32_t instruction_at(const struct function *f, size_t pc)
{
    uint32_t word = 0;
    memcpy(&word, f->code.p + pc * CODE_UNIT, CODE_UNIT); /* dumped in this machine's order */
    return word;
}

static bool is_environment(const struct function *f, unsigned upvalue)
{
    return slice_equal(f->upvalues[upvalue], SLICE_LIT("_ENV"));
}

/* require, its constant argument into the next register, and the call. */
static struct slice required_at(const struct function *f, size_t pc, unsigned target)
{
    struct slice none = {NULL, 0};
    if ((pc + 2) * CODE_UNIT >= f->code.len) {
        return none;
    }
    uint32_t load = instruction_at(f, pc + 1);
    uint32_t call = instruction_at(f, pc + 2);
    uint32_t constant = load >> 15;
    bool fits = (load & 0x7F) == OP_LOADK && (load >> 7 & 0xFF) == target + 1 &&
                (call & 0x7F) == OP_CALL && (call >> 7 & 0xFF) == target;
    return fits && constant < CONSTANTS_SEEN ? f->constants[constant] : none;
}

static void report(const struct dump *d, const struct function *f)
{
    for (size_t pc = 0; (pc + 1) * CODE_UNIT <= f->code.len; pc++) {
        uint32_t word = instruction_at(f, pc);
        unsigned a = word >> 7 & 0xFF;
        unsigned b = word >> 16 & 0xFF;
        unsigned c = word >> 24;
        if ((word & 0x7F) == OP_GETTABUP && is_environment(f, b)) {
            struct slice module = slice_equal(f->constants[c], SLICE_LIT("require"))
                                      ? required_at(f, pc, a)
                                      : (struct slice){NULL, 0};
            d->fn(d->ctx, GLOBALS_READ, f->constants[c], line_of(f, pc));
            if (module.p != NULL) {
                d->fn(d->ctx, GLOBALS_REQUIRE, module, line_of(f, pc));
            }
        } else if ((word & 0x7F) == OP_SETTABUP && is_environment(f, a)) {
            d->fn(d->ctx, GLOBALS_SET, f->constants[b], line_of(f, pc));
        }
    }
}

static void take_function(struct dump *d, int depth)
{
    struct function f;
    memset(&f, 0, sizeof f);
    (void)take_string(d); /* source */
    f.first_line = (int)take_number(d);
    (void)take_number(d); /* last line */
    (void)take(d, 3);     /* parameters, vararg, stack */
    f.code = take(d, take_number(d) * CODE_UNIT);
    take_constants(d, &f);
    uint64_t upvalues = take_number(d);
    (void)take(d, upvalues > d->left.len ? UINT64_MAX : upvalues * 3);
    uint64_t functions = take_number(d);
    if (depth >= FUNCTIONS_DEEP_MAX) {
        d->ok = false;
    }
    for (uint64_t i = 0; d->ok && i < functions; i++) {
        take_function(d, depth + 1);
    }
    take_debug(d, &f);
    if (d->ok) {
        report(d, &f);
    }
}

bool globals_walk(struct slice dump,
                  void (*fn)(void *ctx, enum globals_use use, struct slice name, int line),
                  void *ctx)
{
    static const char header[] = "\x1bLua\x54\x00\x19\x93\r\n\x1a\n\x04\x08\x08";
    struct dump d = {.left = dump, .ok = true, .fn = fn, .ctx = ctx};
    struct slice start = take(&d, sizeof header - 1);
    (void)take(&d, 16 + 1); /* a sample integer and float, count of upvalues */
    if (!d.ok || memcmp(start.p, header, sizeof header - 1) != 0) {
        return false;
    }
    take_function(&d, 0);
    return d.ok;
}
