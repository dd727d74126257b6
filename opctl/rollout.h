#pragma once
/* Carrying out a plan for the instances of one server, a line of progress for each step. Blocks. */
#include "app.h"
#include "instances.h"
#include "watch.h"

struct rollout {
    struct app *app;
    const char *server;
    struct rollout_plan plan;
    unsigned ready_timeout; /* seconds that an instance may take until it is ready */
    unsigned watch;         /* seconds to watch the first new instance beside the old ones */
    struct watch_limits limits;
};

enum rollout_status {
    ROLLOUT_WENT_BACK = 2, /* the new version did not do; the old one serves */
    ROLLOUT_STUCK = 3,     /* neither way: somebody has to look */
};

/* Each returns APP_OK, APP_FAILED when nothing was changed, or a rollout_status. */
int rollout_forward(const struct rollout *rollout);
int rollout_back(const struct rollout *rollout);
int rollout_scale(const struct rollout *rollout);
/* The same version anew, with the configuration and the secrets as they are now: one instance after the other, while one
 * more runs. */
int rollout_again(const struct rollout *rollout);
/* What would be done, a line for each step. */
int rollout_tell(const struct rollout *rollout);
int rollout_tell_again(const struct rollout *rollout);
