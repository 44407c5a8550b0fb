/* No control socket here yet: `ctl` says so, and a host serves without one. */
#include "runtime/ctl.h"

#include "runtime/host.h"

ULONG ctl_open(struct host *host, const char *path, struct ctl **out)
{
    (void)host, (void)path;
    *out = NULL;
    return ERROR_NOT_SUPPORTED;
}

void ctl_close(struct ctl *ctl, const struct host_verdict *verdict)
{
    (void)ctl, (void)verdict; /* there is none */
}

int ctl_ask(const char *path, long pid, const char *question, FILE *out, FILE *err)
{
    (void)path, (void)pid, (void)question, (void)out;
    (void)fprintf(err, "error: ctl is not available on this system\n");
    return HOST_EXIT_FAILED;
}
