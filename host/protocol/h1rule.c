#include "protocol/h1rule.h"

#include <assert.h>

struct rule {
    const char *name;
    const char *word;
    const char *text;
    const char *source;
    uint16_t status;
};

#define RULE_ROW(name, status, word, text, source) {#name, word, text, source, status},
static const struct rule rules[H1_RULE_COUNT] = {{"NONE", "", "", "", 0}, H1_RULES(RULE_ROW)};
#undef RULE_ROW

struct h1_refusal h1_rule_refusal(enum h1_rule rule)
{
    assert(rule < H1_RULE_COUNT);
    return (struct h1_refusal){rule, rules[rule].status, rules[rule].word, rules[rule].text};
}

const char *h1_rule_name(enum h1_rule rule)
{
    assert(rule < H1_RULE_COUNT);
    return rules[rule].name;
}

const char *h1_rule_source(enum h1_rule rule)
{
    assert(rule < H1_RULE_COUNT);
    return rules[rule].source;
}
