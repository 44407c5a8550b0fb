#include "binding/router_tree.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* --- the tree ------------------------------------------------------------------------------ */

/* One handler: a method of a path. */
struct route {
    struct route *next;  /* of the same node */
    struct slice method; /* "" for any */
    uint32_t handler;    /* place in the Lua array of handlers */
    bool bare;           /* router.h */
    uint32_t param_count;
    struct slice *params; /* names, in the order of the path */
    char *text;           /* what the slices point into: method, then the path as written */
    size_t text_bytes;
    struct slice path;
    char site[64]; /* where it was added */
};

enum {
    LITERALS_SCANNED_MAX = 8, /* more are found by hash */
    EXACT_CAP_MIN = 8
};

/* One segment of paths. */
struct branch {
    struct slice segment;     /* points behind the struct; of a named one and the root, empty */
    uint32_t hash;            /* of segment */
    struct branch **literals; /* oldest first; past LITERALS_SCANNED_MAX a hash table, see below */
    uint32_t literal_count;
    uint32_t literal_cap; /* places; a power of two, of a hash table at least twice the count */
    struct branch *named; /* the `:name` child */
    struct route *routes; /* of the path that ends here */
    struct slice path;    /* of one of them, where no segment on the way is named; else empty */
    uint32_t path_hash;
};

/* The tree of one http.router. The userdata holds one count, each match another. */
struct router {
    lua_Alloc allocate; /* the state's, with its account */
    void *allocate_ud;
    uint32_t refs;
    uint32_t route_count;
    struct branch root;    /* the empty path before the first segment */
    struct branch **exact; /* those with a path, by its hash: most requests need no walk */
    uint32_t exact_count;
    uint32_t exact_cap; /* a power of two, at least twice the count; or 0 */
};

static void *take(struct router *r, size_t bytes)
{
    void *block = r->allocate(r->allocate_ud, NULL, 0, bytes);
    if (block != NULL) {
        memset(block, 0, bytes);
    }
    return block;
}

static void give(struct router *r, void *block, size_t bytes)
{
    if (block != NULL) {
        (void)r->allocate(r->allocate_ud, block, bytes, 0); /* freeing returns NULL */
    }
}

static void free_route(struct router *r, struct route *route)
{
    give(r, route->params, route->param_count * sizeof *route->params);
    give(r, route->text, route->text_bytes);
    give(r, route, sizeof *route);
}

/* Frees what is below a branch. Recursion is as deep as paths have segments. */
static void clear_branch(struct router *r, struct branch *branch)
{
    for (uint32_t i = 0; i < branch->literal_cap; i++) {
        struct branch *child = branch->literals[i];
        if (child != NULL) {
            clear_branch(r, child);
            give(r, child, sizeof *child + child->segment.len);
        }
    }
    give(r, branch->literals, branch->literal_cap * sizeof(struct branch *));
    if (branch->named != NULL) {
        clear_branch(r, branch->named);
        give(r, branch->named, sizeof *branch);
    }
    while (branch->routes != NULL) {
        struct route *route = branch->routes;
        branch->routes = route->next;
        free_route(r, route);
    }
}

void router_tree_unref(struct router *r)
{
    assert(r->refs > 0);
    r->refs--;
    if (r->refs == 0) {
        lua_Alloc allocate = r->allocate;
        void *ud = r->allocate_ud;
        clear_branch(r, &r->root);
        give(r, r->exact, r->exact_cap * sizeof(struct branch *));
        (void)allocate(ud, r, sizeof *r, 0); /* freeing returns NULL */
    }
}

/* Only scripts add segments, so nobody can choose them to collide: speed is all that counts. */
static uint32_t hash_of(struct slice s)
{
    const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t h = s.len;
    while (s.len >= 8) {
        uint64_t word;
        memcpy(&word, s.p, 8);
        h = (h ^ word) * factor;
        h ^= h >> 32;
        s = slice_make(s.p + 8, s.len - 8);
    }
    uint64_t rest = 0;
    for (size_t i = 0; i < s.len; i++) {
        rest = rest << 8 | (unsigned char)s.p[i];
    }
    h = (h ^ rest) * factor;
    return (uint32_t)(h >> 32);
}

static bool is_hashed(const struct branch *branch)
{
    return branch->literal_cap > LITERALS_SCANNED_MAX;
}

/* The place of the segment in a hash table, or the free one where it belongs. */
static uint32_t probe(const struct branch *branch, struct slice segment, uint32_t hash)
{
    uint32_t mask = branch->literal_cap - 1;
    uint32_t at = hash & mask;
    for (;; at = (at + 1) & mask) {
        const struct branch *child = branch->literals[at];
        if (child == NULL || (child->hash == hash && slice_equal(child->segment, segment))) {
            return at;
        }
    }
}

/* The literal child; NULL: there is none. */
static struct branch *search(const struct branch *branch, struct slice segment)
{
    if (is_hashed(branch)) {
        return branch->literals[probe(branch, segment, hash_of(segment))];
    }
    for (uint32_t i = 0; i < branch->literal_count; i++) {
        struct branch *child = branch->literals[i];
        if (child->segment.len == segment.len &&
            (segment.len == 0 || (child->segment.p[0] == segment.p[0] &&
                                  memcmp(child->segment.p, segment.p, segment.len) == 0))) {
            return child;
        }
    }
    return NULL;
}

/* Takes the first segment off a path that begins with a slash. */
static struct slice next_segment(struct slice *path)
{
    assert(path->len > 0 && path->p[0] == '/');
    const char *begin = path->p + 1;
    const char *end = memchr(begin, '/', path->len - 1);
    size_t len = end == NULL ? path->len - 1 : (size_t)(end - begin);
    path->p += len + 1;
    path->len -= len + 1;
    return slice_make(begin, len);
}

static void put_literal(struct branch *branch, struct branch *child)
{
    uint32_t at =
        is_hashed(branch) ? probe(branch, child->segment, child->hash) : branch->literal_count;
    assert(at < branch->literal_cap && branch->literals[at] == NULL);
    branch->literals[at] = child;
    branch->literal_count++;
}

/* Room for one more literal child. false: no memory. */
static bool make_room(struct router *r, struct branch *branch)
{
    uint32_t cap = branch->literal_cap;
    if (is_hashed(branch) ? branch->literal_count < cap / 2 : branch->literal_count < cap) {
        return true;
    }
    struct branch old = *branch;
    uint32_t wider = cap == 0 ? 2 : cap < LITERALS_SCANNED_MAX ? cap * 2 : cap * 4;
    struct branch **literals = take(r, wider * sizeof *literals);
    if (literals == NULL) {
        return false;
    }
    branch->literals = literals;
    branch->literal_cap = wider;
    branch->literal_count = 0;
    for (uint32_t i = 0; i < old.literal_cap; i++) {
        if (old.literals[i] != NULL) {
            put_literal(branch, old.literals[i]);
        }
    }
    give(r, old.literals, old.literal_cap * sizeof *old.literals);
    return true;
}

/* The literal child, made when it is not there. NULL: no memory. */
static struct branch *add_literal(struct router *r, struct branch *branch, struct slice segment)
{
    struct branch *child = search(branch, segment);
    if (child != NULL) {
        return child;
    }
    if (!make_room(r, branch)) {
        return NULL;
    }
    child = take(r, sizeof *child + segment.len);
    if (child == NULL) {
        return NULL;
    }
    if (segment.len > 0) {
        memcpy(child + 1, segment.p, segment.len);
    }
    child->segment = slice_make((const char *)(child + 1), segment.len);
    child->hash = hash_of(segment);
    put_literal(branch, child);
    return child;
}

static struct branch *add_named(struct router *r, struct branch *branch)
{
    if (branch->named == NULL) {
        branch->named = take(r, sizeof *branch->named);
    }
    return branch->named;
}

/* The place of the path, or the free one where it belongs. */
static uint32_t probe_exact(const struct router *r, struct slice path, uint32_t hash)
{
    uint32_t mask = r->exact_cap - 1;
    uint32_t at = hash & mask;
    for (;; at = (at + 1) & mask) {
        const struct branch *branch = r->exact[at];
        if (branch == NULL || (branch->path_hash == hash && slice_equal(branch->path, path))) {
            return at;
        }
    }
}

/* Room for one more. false: no memory. */
static bool make_exact_room(struct router *r)
{
    uint32_t wider = r->exact_cap == 0 ? EXACT_CAP_MIN : r->exact_cap * 2;
    if (r->exact_count < r->exact_cap / 2) {
        return true;
    }
    struct branch **old = r->exact;
    uint32_t old_cap = r->exact_cap;
    struct branch **exact = take(r, wider * sizeof *exact);
    if (exact == NULL) {
        return false;
    }
    r->exact = exact;
    r->exact_cap = wider;
    for (uint32_t i = 0; i < old_cap; i++) {
        if (old[i] != NULL) {
            exact[probe_exact(r, old[i]->path, old[i]->path_hash)] = old[i];
        }
    }
    give(r, old, old_cap * sizeof *old);
    return true;
}

/* Makes the branch known by its path, whose bytes stay. false: no memory. */
static bool put_exact(struct router *r, struct branch *branch, struct slice path)
{
    if (branch->path.len > 0) {
        return true;
    }
    if (!make_exact_room(r)) {
        return false;
    }
    branch->path_hash = hash_of(path);
    uint32_t at = probe_exact(r, path, branch->path_hash);
    assert(r->exact[at] == NULL);
    branch->path = path;
    r->exact[at] = branch;
    r->exact_count++;
    return true;
}

static struct route *find_route(const struct branch *branch, struct slice method)
{
    struct route *route = branch->routes;
    while (route != NULL && !slice_equal(route->method, method)) {
        route = route->next;
    }
    return route;
}

/* --- adding a route ------------------------------------------------------------------------ */

static bool has_segment(struct slice path, struct slice wanted)
{
    while (path.len > 0) {
        if (slice_equal(next_segment(&path), wanted)) {
            return true;
        }
    }
    return false;
}

const char *router_tree_judge(struct slice path, uint32_t *param_count)
{
    const struct slice whole = path;
    uint32_t segments = 0;
    *param_count = 0;
    if (path.len == 0 || path.p[0] != '/') {
        return "a path begins with a slash";
    }
    if (path.len > ROUTER_PATH_BYTES_MAX) {
        return "the path is too long";
    }
    while (path.len > 0) {
        struct slice before = slice_make(whole.p, (size_t)(path.p - whole.p));
        struct slice segment = next_segment(&path);
        segments++;
        if (segment.len == 0 && path.len > 0) {
            return "the path has an empty segment";
        }
        if (segment.len > 0 && segment.p[0] == ':') {
            ++*param_count;
            if (segment.len == 1) {
                return "a parameter has no name";
            }
            if (has_segment(before, segment)) {
                return "two parameters have one name";
            }
        } else if (segment.len > 0 && memchr(segment.p, '*', segment.len) != NULL) {
            return "there are no '*' segments";
        }
    }
    if (segments > ROUTER_SEGMENTS_MAX) {
        return "the path has too many segments";
    }
    return *param_count > ROUTER_PARAMS_MAX ? "the path has too many parameters" : NULL;
}

/* A route with its own copy of the texts, in no tree yet. NULL: no memory. */
static struct route *new_route(struct router *r, const struct router_route *added,
                               uint32_t param_count)
{
    struct slice method = added->method, path = added->path;
    struct route *route = take(r, sizeof *route);
    if (route == NULL) {
        return NULL;
    }
    route->text_bytes = method.len + path.len;
    route->text = take(r, route->text_bytes);
    route->param_count = param_count;
    if (param_count > 0) {
        route->params = take(r, param_count * sizeof *route->params);
    }
    if (route->text == NULL || (param_count > 0 && route->params == NULL)) {
        route->param_count = route->params == NULL ? 0 : param_count;
        free_route(r, route);
        return NULL;
    }
    memcpy(route->text, method.p, method.len);
    memcpy(route->text + method.len, path.p, path.len);
    route->method = slice_make(route->text, method.len);
    route->path = slice_make(route->text + method.len, path.len);
    route->bare = added->bare;
    snprintf(route->site, sizeof route->site, "%s", added->site);
    struct slice rest = route->path;
    for (uint32_t n = 0; rest.len > 0;) {
        struct slice segment = next_segment(&rest);
        if (segment.len > 0 && segment.p[0] == ':') {
            route->params[n++] = slice_make(segment.p + 1, segment.len - 1);
        }
    }
    return route;
}

/* Puts the route into the tree. Branches made on the way to a failure stay, empty. Returns false
 * for lack of memory, or with *other set to the route that is there already; the route is then the
 * caller's again. */
static bool plant(struct router *r, struct route *route, struct route **other)
{
    struct branch *branch = &r->root;
    struct slice rest = route->path;
    *other = NULL;
    while (branch != NULL && rest.len > 0) {
        struct slice segment = next_segment(&rest);
        bool named = segment.len > 0 && segment.p[0] == ':';
        branch = named ? add_named(r, branch) : add_literal(r, branch, segment);
    }
    if (branch == NULL) {
        return false;
    }
    *other = find_route(branch, route->method);
    if (*other != NULL) {
        return false;
    }
    if (route->param_count == 0 && !put_exact(r, branch, route->path)) {
        return false;
    }
    route->next = branch->routes;
    branch->routes = route;
    r->route_count++;
    return true;
}

struct router *router_tree_create(lua_Alloc allocate, void *ud)
{
    struct router *r = allocate(ud, NULL, 0, sizeof *r);
    if (r != NULL) {
        memset(r, 0, sizeof *r);
        r->allocate = allocate;
        r->allocate_ud = ud;
        r->refs = 1;
    }
    return r;
}

uint32_t router_tree_count(const struct router *r)
{
    return r->route_count;
}

ULONG router_tree_add(struct router *r, const struct router_route *added, const char **other)
{
    uint32_t param_count = 0;
    struct route *twin = NULL;
    *other = NULL;
    if (router_tree_judge(added->path, &param_count) != NULL) {
        return ERROR_INVALID_PARAMETER;
    }
    struct route *route = new_route(r, added, param_count);
    if (route == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    route->handler = r->route_count + 1;
    if (!plant(r, route, &twin)) {
        free_route(r, route);
        *other = twin == NULL ? NULL : twin->site;
        return twin == NULL ? ERROR_NOT_ENOUGH_MEMORY : ERROR_ALREADY_EXISTS;
    }
    return NO_ERROR;
}

/* --- matching ------------------------------------------------------------------------------ */

/* One search. */
struct finding {
    struct slice method;
    struct slice get; /* what answers HEAD, else empty */
    struct slice values[ROUTER_PARAMS_MAX];
    char *allow; /* methods of the paths that fit, each followed by ", " */
    size_t allow_len;
};

static bool is_allowed(const struct finding *f, struct slice method)
{
    for (size_t at = 0; at < f->allow_len;) {
        const char *end = memchr(f->allow + at, ',', f->allow_len - at);
        size_t len = (size_t)(end - (f->allow + at));
        if (slice_equal(slice_make(f->allow + at, len), method)) {
            return true;
        }
        at += len + 2;
    }
    return false;
}

/* Notes a method once, while there is room. */
static void allow(struct finding *f, struct slice method)
{
    if (is_allowed(f, method) || f->allow_len + method.len + 2 > ROUTER_ALLOW_BYTES_MAX - 1) {
        return;
    }
    memcpy(f->allow + f->allow_len, method.p, method.len);
    memcpy(f->allow + f->allow_len + method.len, ", ", 2);
    f->allow_len += method.len + 2;
}

/* The route of the branch for the method, or NULL. */
static struct route *pick(const struct finding *f, const struct branch *branch)
{
    struct route *route = find_route(branch, f->method);
    if (route == NULL && f->get.len > 0) {
        route = find_route(branch, f->get);
    }
    return route != NULL ? route : find_route(branch, (struct slice){NULL, 0});
}

/* The same where a path ends; notes what would be allowed when there is none. */
static struct route *choose(struct finding *f, const struct branch *branch)
{
    struct route *route = pick(f, branch);
    if (route != NULL) {
        return route;
    }
    for (const struct route *r = branch->routes; r != NULL; r = r->next) {
        allow(f, r->method);
        if (slice_equal(r->method, SLICE_LIT("GET"))) {
            allow(f, SLICE_LIT("HEAD"));
        }
    }
    return NULL;
}

/* The first route that fits, literal segments before named ones. Recursion is as deep as routes
 * have segments, and visits each branch of the tree at most once. */
static struct route *find(struct finding *f, const struct branch *branch, struct slice rest,
                          uint32_t param_count)
{
    if (rest.len == 0) {
        return choose(f, branch);
    }
    struct slice segment = next_segment(&rest);
    const struct branch *literal = search(branch, segment);
    struct route *route = literal != NULL ? find(f, literal, rest, param_count) : NULL;
    if (route == NULL && branch->named != NULL && segment.len > 0) {
        assert(param_count < ROUTER_PARAMS_MAX);
        f->values[param_count] = segment;
        route = find(f, branch->named, rest, param_count + 1);
    }
    return route;
}

/* The route that has just this path. The walk would come to it first, as it takes literal segments
 * before named ones. */
static struct route *find_exact(const struct finding *f, const struct router *r, struct slice path)
{
    if (r->exact_count == 0 || path.len > ROUTER_PATH_BYTES_MAX) {
        return NULL;
    }
    const struct branch *branch = r->exact[probe_exact(r, path, hash_of(path))];
    return branch != NULL ? pick(f, branch) : NULL;
}

/* The path without its first segments; "/" when nothing is left. */
static struct slice strip(struct slice path, uint32_t segments)
{
    while (segments > 0 && path.len > 0) {
        (void)next_segment(&path); /* only the rest counts */
        segments--;
    }
    return path.len == 0 ? SLICE_LIT("/") : path;
}

static enum router_result refuse(const struct finding *f, struct router_match *match)
{
    static const char options[] = "OPTIONS";
    size_t len = f->allow_len;
    if (len == 0) {
        return ROUTER_NOT_FOUND;
    }
    if (!is_allowed(f, SLICE_LIT("OPTIONS")) && len + sizeof options <= sizeof match->allow) {
        memcpy(match->allow + len, options, sizeof options);
    } else {
        match->allow[len - 2] = '\0'; /* the last ", " */
    }
    return slice_equal(f->method, SLICE_LIT("OPTIONS")) ? ROUTER_OPTIONS
                                                        : ROUTER_METHOD_NOT_ALLOWED;
}

enum router_result router_tree_find(struct router *r, struct slice method, struct slice path,
                                    uint32_t segments, struct router_match *match,
                                    uint32_t *handler)
{
    struct finding f;
    f.method = method;
    f.get = slice_equal(method, SLICE_LIT("HEAD")) ? SLICE_LIT("GET") : (struct slice){NULL, 0};
    /* cppcheck-suppress ctuuninitvar ; an array, its address alone is taken */
    f.allow = match->allow;
    f.allow_len = 0;
    match->router = NULL;
    match->param_count = 0;
    match->allow[0] = '\0';
    if (path.len == 0 || path.p[0] != '/') {
        return ROUTER_NOT_FOUND;
    }
    path = strip(path, segments);
    const struct route *route = find_exact(&f, r, path);
    if (route == NULL) {
        route = find(&f, &r->root, path, 0);
    }
    if (route == NULL) {
        return refuse(&f, match);
    }
    for (uint32_t i = 0; i < route->param_count; i++) {
        match->params[i] = (struct router_param){route->params[i], f.values[i]};
    }
    match->param_count = route->param_count;
    match->bare = route->bare;
    match->router = r;
    match->allow[0] = '\0';
    r->refs++;
    *handler = route->handler;
    return ROUTER_FOUND;
}

void router_match_release(struct router_match *match)
{
    if (match->router != NULL) {
        struct router *r = match->router;
        match->router = NULL;
        match->param_count = 0;
        router_tree_unref(r);
    }
}
