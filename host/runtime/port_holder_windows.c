/* The system itself holds the sockets of everybody who serves through it, so its list of
 * connections would name the kernel: nobody is named here. */
#include "runtime/port_holder.h"

bool port_holder_find(uint16_t port, struct port_holder *out)
{
    (void)port;
    (void)out;
    return false;
}
