#include "edge/policy/rewriting.h"

enum {
    REWRITING_HITS = 2,       /* since written, when writes are cheap */
    REWRITING_HITS_STRICT = 4 /* when they are not */
};

bool edge_rewriting_ask(const struct edge_rewriting_ask *ask)
{
    double strictness = ask->pressure > ask->strictness ? ask->pressure : ask->strictness;

    if (ask->pressure >= 1) {
        return false;
    }
    return ask->heat >=
           REWRITING_HITS + strictness * (double)(REWRITING_HITS_STRICT - REWRITING_HITS);
}

unsigned edge_rewriting_heat(unsigned heat)
{
    (void)heat;
    return 0; /* it has to earn the next round anew */
}
