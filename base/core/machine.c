#include "base/core/machine.h"

#include "base/core/check.h"

void fb_machine_init(struct fb_machine *machine, const struct fb_state *table, unsigned state)
{
    machine->table = table;
    machine->state = state;
}

void fb_machine_move(struct fb_machine *machine, unsigned next)
{
    FB_REQUIRE(next < 32 && (machine->table[machine->state].next & FB_TO(next)) != 0);
    machine->state = next;
}

const char *fb_machine_name(const struct fb_machine *machine)
{
    return machine->table[machine->state].name;
}
