#include "edge/policy/trials.h"

#include "base/core/alloc.h"

struct edge_trial {
    uint64_t id;
    uint64_t clock; /* when it began */
    uint32_t next;  /* in its chain: place + 1 */
    struct edge_chance_view view;
    uint8_t interval; /* that it lives in now */
    bool is_open;
};

void edge_trials_init(struct edge_trials *trials, struct edge_chance *chance, uint64_t window)
{
    *trials = (struct edge_trials){
        .chance = chance,
        .window = window,
        .ring = fb_alloc_array(EDGE_TRIALS_MAX, sizeof(*trials->ring)),
        .heads = fb_alloc_array(EDGE_TRIALS_MAX, sizeof(*trials->heads)),
    };
}

void edge_trials_done(struct edge_trials *trials)
{
    fb_free(trials->ring);
    fb_free(trials->heads);
    *trials = (struct edge_trials){0};
}

static struct edge_trial *trials_at(const struct edge_trials *trials, uint64_t number)
{
    return &trials->ring[number % EDGE_TRIALS_MAX];
}

static uint32_t *trials_head(const struct edge_trials *trials, uint64_t id)
{
    uint64_t hash = (id ^ (id >> 32)) * UINT64_C(0x9E3779B97F4A7C15);

    return &trials->heads[(hash >> 32) % EDGE_TRIALS_MAX];
}

static void trial_close(struct edge_trials *trials, struct edge_trial *trial)
{
    uint32_t *link = trials_head(trials, trial->id);

    while (&trials->ring[*link - 1] != trial) {
        link = &trials->ring[*link - 1].next;
    }
    *link = trial->next;
    trial->is_open = false;
}

static struct edge_trial *trials_find(const struct edge_trials *trials, uint64_t id)
{
    uint32_t place = *trials_head(trials, id);

    while (place != 0 && trials->ring[place - 1].id != id) {
        place = trials->ring[place - 1].next;
    }
    return place == 0 ? NULL : &trials->ring[place - 1];
}

/* Reports whatever has lived through an interval by now. */
static void trials_advance(struct edge_trials *trials, uint64_t clock)
{
    for (unsigned i = 0; i < EDGE_CHANCE_INTERVALS; i++) {
        uint64_t end = edge_chance_end(trials->window, i);
        for (; trials->hands[i] < trials->n_begun; trials->hands[i]++) {
            struct edge_trial *trial = trials_at(trials, trials->hands[i]);
            if (clock - trial->clock < end) {
                break;
            }
            if (trial->is_open) {
                edge_chance_learn(trials->chance, &trial->view, i, false);
                trial->interval = (uint8_t)(i + 1);
            }
            if (trial->is_open && trial->interval == EDGE_CHANCE_INTERVALS) {
                trial_close(trials, trial);
            }
        }
    }
}

static void trials_begin(struct edge_trials *trials, uint64_t id, uint64_t clock,
                         const struct edge_chance_view *view)
{
    struct edge_trial *trial = trials_at(trials, trials->n_begun);
    uint32_t *head = trials_head(trials, id);

    if (trial->is_open) {
        trial_close(trials, trial);
    }
    for (unsigned i = 0; i < EDGE_CHANCE_INTERVALS; i++) { /* none may lag a whole ring */
        if (trials->hands[i] + EDGE_TRIALS_MAX == trials->n_begun) {
            trials->hands[i]++;
        }
    }
    *trial = (struct edge_trial){
        .id = id, .clock = clock, .next = *head, .view = *view, .is_open = true};
    *head = (uint32_t)(trials->n_begun % EDGE_TRIALS_MAX) + 1;
    trials->n_begun++;
}

void edge_trials_ask(struct edge_trials *trials, uint64_t id, uint64_t clock,
                     const struct edge_chance_view *view)
{
    trials_advance(trials, clock);
    struct edge_trial *open = trials_find(trials, id);
    if (open != NULL) {
        edge_chance_learn(trials->chance, &open->view, open->interval, true);
        trial_close(trials, open);
    }
    trials_begin(trials, id, clock, view);
}

size_t edge_trials_bytes(void)
{
    return EDGE_TRIALS_MAX * (sizeof(struct edge_trial) + sizeof(uint32_t));
}
