#include "tiers_fixture.h"

/*
 * The store against a twin that knows no more than which bytes each version of each key has.
 * Random operations over both tiers, in so little memory that nearly every claim evicts;
 * readers on two loops, at paces of their own. What is read is right, and everybody who waits is
 * told something.
 */
enum { N_KEYS = 12, N_READERS = 8, N_WRITERS = 4, N_STEPS = 2500, N_SEEDS = 3 };

/* Bytes of version `v` of key `k` at `offset`. */
static char twin_byte(unsigned k, unsigned v, uint64_t offset)
{
    return (char)((offset * 31 + (offset >> 12) + k * 7 + v * 13) & 0x7f);
}

struct twin_key {
    unsigned version; /* the one in the index, or that was */
    uint64_t length;
};

struct model;

struct model_reader {
    struct model *model;
    struct edge_source source;
    struct fb_reader *reader; /* NULL: idle */
    struct fb_loop *loop;
    struct fb_op op;
    bool is_waiting;
    unsigned key;
    unsigned version;
    uint64_t offset;
    uint64_t end;
};

struct model_writer {
    struct edge_writer *writer; /* NULL: idle */
    unsigned key;
    unsigned version;
    uint64_t length;
};

/* What a source was asked for. */
struct model_want {
    struct edge_object *object; /* counted; NULL: none */
    unsigned key;
    unsigned version;
    uint64_t offset;
};

struct model {
    struct tiers *t;
    struct fb_loop *loops[2];
    uint64_t seed;
    struct twin_key keys[N_KEYS];
    struct model_reader readers[N_READERS];
    struct model_writer writers[N_WRITERS];
    struct model_want wants[N_READERS];
    uint64_t n_read;
    unsigned n_failed;
    unsigned n_loaded;
    unsigned n_ended;
};

static uint64_t draw(struct model *m, uint64_t n)
{
    m->seed = m->seed * 6364136223846793005U + 1442695040888963407U;
    return (m->seed >> 33) % n;
}

static const char *key_text(unsigned k)
{
    static const char *const texts[N_KEYS] = {"h/a/0", "h/a/1", "h/a/2", "h/b/3", "h/b/4", "h/b/5",
                                              "h/c/0", "h/c/1", "h/c/2", "h/d/3", "h/d/4", "h/d/5"};
    return texts[k];
}

/* The version is told by the entity-tag, the length by both. */
static uint64_t length_of(unsigned k, unsigned v)
{
    static const uint64_t lengths[] = {0, 1, 100000, MIB, 3 * MIB + 5, 4 * MIB, 9 * MIB + 77};
    return lengths[(k + v * 3) % FB_ARRAY_LEN(lengths)];
}

static unsigned version_of(const struct edge_object *object)
{
    struct fb_str etag = edge_object_head(object)->etag;
    uint64_t v = 0;

    assert_int_equal(fb_str_to_u64((struct fb_str){etag.ptr + 1, etag.len - 2}, &v), FB_OK);
    return (unsigned)v;
}

/* ---- readers ----------------------------------------------------------- */

static void model_want_on(struct edge_source *source, struct edge_object *object, uint64_t offset,
                          uint64_t n)
{
    struct model_reader *reader = FB_CONTAINER_OF(source, struct model_reader, source);
    struct model *m = reader->model;

    assert_true(n > 0);
    for (unsigned i = 0; i < N_READERS; i++) {
        if (m->wants[i].object == NULL) {
            m->wants[i] = (struct model_want){.object = edge_object_ref(object),
                                              .key = reader->key,
                                              .version = reader->version,
                                              .offset = offset};
            return;
        }
    }
    edge_object_fail(object, offset, FB_E_BUSY);
}

static void reader_end(struct model_reader *reader)
{
    fb_reader_close(reader->reader);
    reader->reader = NULL;
    reader->model->n_ended++;
}

static void reader_on_news(struct fb_op *op)
{
    FB_CONTAINER_OF(op, struct model_reader, op)->is_waiting = false;
}

static void reader_check(struct model_reader *reader, const struct fb_slice *slice)
{
    assert_true(reader->offset + slice->bytes.len <= length_of(reader->key, reader->version));
    for (size_t i = 0; i < slice->bytes.len; i += 1 + i / 64) {
        if (slice->bytes.ptr[i] != twin_byte(reader->key, reader->version, reader->offset + i)) {
            fail_msg("key %u version %u has a wrong byte at %llu", reader->key, reader->version,
                     (unsigned long long)(reader->offset + i));
        }
    }
}

static void reader_step(struct model *m, struct model_reader *reader)
{
    struct fb_slice slice;

    for (uint64_t n = draw(m, 8); n > 0; n--) {
        int err = fb_reader_next(reader->reader, &slice);
        if (err == FB_OK) {
            reader_check(reader, &slice);
            reader->offset += slice.bytes.len;
            m->n_read += slice.bytes.len;
            fb_slice_release(&slice);
            continue;
        }
        if (err == FB_E_LATER) {
            fb_op_init(&reader->op, reader->loop, reader_on_news);
            reader->is_waiting = true;
            fb_reader_wait(reader->reader, &reader->op);
            return;
        }
        if (err == FB_E_END) {
            assert_int_equal(reader->offset, reader->end);
        } else {
            m->n_failed++;
        }
        reader_end(reader);
        return;
    }
}

/* A reader of what the index has, or of what a volume gives. */
static void reader_begin(struct model *m, struct model_reader *reader, struct edge_object *object,
                         unsigned k)
{
    uint64_t length = (uint64_t)edge_object_length(object);

    reader->key = k;
    reader->version = version_of(object);
    assert_int_equal(length, length_of(k, reader->version));
    reader->offset = length > 0 ? draw(m, length) : 0;
    reader->end = length;
    int64_t n = FB_LENGTH_UNKNOWN;
    if (draw(m, 2) == 0) {
        n = (int64_t)(length > reader->offset ? 1 + draw(m, length - reader->offset) : 0);
        reader->end = reader->offset + (uint64_t)n;
    }
    reader->loop = m->loops[draw(m, 2)];
    reader->reader = edge_object_reader(object, reader->loop, reader->offset, n,
                                        draw(m, 8) == 0 ? NULL : &reader->source);
}

/* ---- writers ----------------------------------------------------------- */

static void writer_begin(struct model *m, struct edge_object *object, unsigned k, unsigned v,
                         uint64_t offset)
{
    for (unsigned i = 0; i < N_WRITERS; i++) {
        struct model_writer *writer = &m->writers[i];
        if (writer->writer != NULL) {
            continue;
        }
        int err = edge_object_write(object, m->loops[0], offset, &writer->writer);
        assert_true(err == FB_OK || err == FB_E_EXISTS || offset > 0);
        if (err < 0) {
            writer->writer = NULL;
        }
        writer->key = k;
        writer->version = v;
        writer->length = length_of(k, v);
        return;
    }
    edge_object_fail(object, offset, FB_E_BUSY);
}

static void writer_step(struct model *m, struct model_writer *writer)
{
    static char bytes[250 * KIB];
    uint64_t offset = edge_writer_offset(writer->writer);
    size_t n = (size_t)FB_MIN(writer->length - offset, 1 + draw(m, sizeof(bytes)));
    uint64_t choice = draw(m, 20);
    int err = FB_OK;

    for (size_t i = 0; i < n; i++) {
        bytes[i] = twin_byte(writer->key, writer->version, offset + i);
    }
    if (choice == 0) {
        err = FB_E_TIMEOUT;
    } else if (n > 0) {
        err = edge_writer_append(writer->writer, (struct fb_str){bytes, n});
    }
    bool is_over = edge_writer_offset(writer->writer) == writer->length || choice == 1;
    if (err < 0 || is_over) {
        edge_writer_finish(writer->writer, err == FB_E_EXISTS ? FB_OK : err);
        writer->writer = NULL;
    }
}

/* ---- steps ------------------------------------------------------------- */

static void step_put(struct model *m, unsigned k)
{
    struct tiers *t = m->t;
    struct fb_headers headers = {0};
    struct edge_object *object = NULL;
    char etag[16];

    unsigned v = m->keys[k].version + (unsigned)draw(m, 2);
    (void)snprintf(etag, sizeof(etag), "\"%u\"", v);
    fb_headers_add(&headers, &t->f.arena, FB_STR("ETag"),
                   fb_arena_dup(&t->f.arena, fb_str_from(etag)));
    struct edge_object_spec spec = {.key = fb_str_from(key_text(k)),
                                    .request = &t->f.none,
                                    .status = 200,
                                    .headers = &headers,
                                    .terms = {.class = EDGE_CLASS_SEGMENT, .lifetime_ms = 3600000},
                                    .length = (int64_t)length_of(k, v)};
    if (edge_store_create(t->f.store, &spec, &object) < 0) {
        return;
    }
    m->keys[k].version = v;
    edge_store_publish(t->f.store, m->loops[0], object);
    writer_begin(m, object, k, v, 0);
    edge_object_unref(object);
}

static void step_get(struct model *m, unsigned k)
{
    struct model_reader *reader = &m->readers[draw(m, N_READERS)];

    while (reader->reader != NULL && reader < &m->readers[N_READERS - 1]) {
        reader++;
    }
    if (reader->reader != NULL) {
        return;
    }
    struct edge_object *object = find(&m->t->f, key_text(k));
    if (object == NULL && edge_store_may_load(m->t->f.store, fb_str_from(key_text(k)), 0)) {
        object = load(m->t, key_text(k), draw(m, 10 * MIB));
        m->n_loaded += object != NULL ? 1 : 0;
    }
    if (object != NULL) {
        assert_int_equal(version_of(object), m->keys[k].version); /* nothing old comes back */
        reader_begin(m, reader, object, k);
        edge_object_unref(object);
    }
}

/* Answers what a source was asked for: with a writer, or with bad news. */
static void step_want(struct model *m)
{
    struct model_want *want = &m->wants[draw(m, N_READERS)];

    if (want->object == NULL) {
        return;
    }
    if (draw(m, 4) == 0) {
        edge_object_fail(want->object, want->offset, FB_E_UNAVAILABLE);
    } else {
        uint64_t chunk = want->offset / EDGE_CHUNK_BYTES;
        writer_begin(m, want->object, want->key, want->version, chunk * EDGE_CHUNK_BYTES);
    }
    edge_object_unref(want->object);
    want->object = NULL;
}

static void step_disturb(struct model *m, unsigned k)
{
    struct edge_volumes *volumes = m->t->volumes;
    struct model_reader *reader = &m->readers[draw(m, N_READERS)];

    switch (draw(m, 6)) {
    case 0:
        (void)purge(&m->t->f, key_text(k));
        break;
    case 1:
        volumes->admits = draw(m, 5) > 0;
        break;
    case 2:
        volumes->read_error = draw(m, 5) > 0 ? FB_OK : draw(m, 2) > 0 ? FB_E_CORRUPT : -5;
        break;
    case 3:
        volumes->write_error = draw(m, 5) > 0 ? FB_OK : FB_E_BUSY;
        break;
    default:
        if (reader->reader != NULL) {
            fb_op_cancel(&reader->op);
            reader_end(reader);
        }
    }
}

static void model_turn(struct model *m)
{
    for (unsigned i = 0; i < 2; i++) {
        fb_loop_turn(m->loops[i]);
    }
}

static void model_step(struct model *m)
{
    unsigned k = (unsigned)draw(m, N_KEYS);
    struct model_writer *writer = &m->writers[draw(m, N_WRITERS)];
    struct model_reader *reader = &m->readers[draw(m, N_READERS)];

    while (writer->writer == NULL && writer < &m->writers[N_WRITERS - 1]) {
        writer++;
    }
    switch (draw(m, 12)) {
    case 0:
        if (draw(m, 2) == 0) {
            step_put(m, k);
        }
        break;
    case 1:
    case 2:
        step_get(m, k);
        break;
    case 3:
        if (draw(m, 3) == 0) {
            step_disturb(m, k);
        }
        break;
    case 4:
    case 5:
        step_want(m);
        break;
    case 6:
    case 7:
    case 8:
        if (writer->writer != NULL) {
            writer_step(m, writer);
        }
        break;
    default:
        if (reader->reader != NULL && !reader->is_waiting && fb_op_is_idle(&reader->op)) {
            reader_step(m, reader);
        }
        break;
    }
    if (draw(m, 3) == 0) {
        model_turn(m);
    }
    assert_true(used(&m->t->f) <= edge_store_stats(m->t->f.store).memory_limit);
}

/* With all writers gone and every want refused, nobody waits any more. */
static void model_end(struct model *m)
{
    for (unsigned i = 0; i < N_WRITERS; i++) {
        if (m->writers[i].writer != NULL) {
            edge_writer_finish(m->writers[i].writer, FB_E_CLOSED);
        }
    }
    for (unsigned n = 0; n < 400; n++) {
        for (unsigned i = 0; i < N_READERS; i++) {
            if (m->wants[i].object != NULL) {
                edge_object_fail(m->wants[i].object, m->wants[i].offset, FB_E_CLOSED);
                edge_object_unref(m->wants[i].object);
                m->wants[i].object = NULL;
            }
            if (m->readers[i].reader != NULL && !m->readers[i].is_waiting &&
                fb_op_is_idle(&m->readers[i].op)) {
                reader_step(m, &m->readers[i]);
            }
        }
        model_turn(m);
    }
    for (unsigned i = 0; i < N_READERS; i++) {
        assert_null(m->readers[i].reader); /* or it hangs */
    }
}

static void model_run(struct tiers *t, uint64_t memory_bytes, bool is_huge)
{
    uint64_t n_read = 0;
    unsigned n_loaded = 0;

    edge_store_free(t->f.store);
    t->f.store = edge_store_new(&(struct edge_store_options){.memory_bytes = memory_bytes,
                                                             .huge_from = is_huge ? 1 : 0,
                                                             .policy = EDGE_POLICY_LRU,
                                                             .seed = 42,
                                                             .volumes = t->volumes,
                                                             .clock = &t->f.clock.clock});
    for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
        struct model m = {.t = t, .seed = seed, .loops = {t->f.loop, NULL}};
        assert_int_equal(fb_loop_new(&t->f.clock.clock, &m.loops[1]), FB_OK);
        for (unsigned i = 0; i < N_READERS; i++) {
            m.readers[i].model = &m;
            m.readers[i].source.want = model_want_on;
            fb_op_init(&m.readers[i].op, m.loops[0], reader_on_news);
        }
        for (unsigned step = 0; step < N_STEPS; step++) {
            model_step(&m);
        }
        model_end(&m);
        for (unsigned k = 0; k < N_KEYS; k++) {
            (void)purge(&t->f, key_text(k));
        }
        t->volumes->read_error = FB_OK;
        t->volumes->write_error = FB_OK;
        t->volumes->admits = true;
        model_turn(&m);
        model_turn(&m);
        fb_loop_free(m.loops[1]);
        assert_true(used(&t->f) == own(&t->f) || is_huge); /* what of those is idle is kept */
        n_read += m.n_read;
        n_loaded += m.n_loaded;
    }
    assert_true(n_read > 10 * (uint64_t)MIB);
    assert_true(n_loaded > 3);
}

static void random_operations_give_right_bytes_and_no_reader_hangs(void **state)
{
    model_run(*state, EDGE_STORE_MIN_BYTES, false);
}

static void random_operations_do_so_over_huge_pages(void **state)
{
    model_run(*state, 2 * (uint64_t)EDGE_STORE_MIN_BYTES, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TIERS_TEST(random_operations_give_right_bytes_and_no_reader_hangs),
        TIERS_TEST(random_operations_do_so_over_huge_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
