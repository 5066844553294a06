#include "web/connections.h"

#include "base/clock.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

typedef struct place {
    int socket;
    bool taken;
    double until; /* of pts_clock; 0: no end */
} place;

struct web_connections {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_t thread;
    bool stop;
    void (*cut)(void *user);
    void *user;
    size_t capacity;
    place places[]; /* [capacity] */
};

/* Shut down, not closed: libmicrohttpd then reads the end of the stream and closes. */
static void cut_late(web_connections *c)
{
    double now = pts_clock();
    for (size_t i = 0; i < c->capacity; i++) {
        place *p = &c->places[i];
        if (!p->taken || p->until <= 0 || now < p->until)
            continue;
        shutdown(p->socket, SHUT_RDWR);
        p->until = 0;
        c->cut(c->user);
    }
}

static void *watch(void *user)
{
    web_connections *c = user;
    pthread_mutex_lock(&c->mutex);
    while (!c->stop) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += 1;
        pthread_cond_timedwait(&c->wake, &c->mutex, &until);
        cut_late(c);
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

web_connections *pts_web_connections_create(size_t capacity, void (*cut)(void *user), void *user)
{
    pthread_condattr_t attributes;
    web_connections *c;
    if (pts_new(&c, 1, sizeof *c + capacity * sizeof *c->places, NULL) != PTS_OK)
        return NULL;
    c->capacity = capacity;
    c->cut = cut;
    c->user = user;
    pthread_mutex_init(&c->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&c->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&c->thread, NULL, watch, c) == 0)
        return c;
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->mutex);
    free(c);
    return NULL;
}

void pts_web_connections_destroy(web_connections *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->mutex);
    c->stop = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->mutex);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

size_t pts_web_connections_add(web_connections *c, int socket, unsigned seconds)
{
    size_t found = SIZE_MAX;
    pthread_mutex_lock(&c->mutex);
    for (size_t i = 0; i < c->capacity && found == SIZE_MAX; i++) {
        if (!c->places[i].taken)
            found = i;
    }
    if (found != SIZE_MAX)
        c->places[found] = (place){socket, true, pts_clock() + seconds};
    pthread_mutex_unlock(&c->mutex);
    return found;
}

void pts_web_connections_limit(web_connections *c, size_t index, unsigned seconds)
{
    if (index >= c->capacity)
        return;
    pthread_mutex_lock(&c->mutex);
    c->places[index].until = seconds ? pts_clock() + seconds : 0;
    pthread_mutex_unlock(&c->mutex);
}

void pts_web_connections_remove(web_connections *c, size_t index)
{
    if (index >= c->capacity)
        return;
    pthread_mutex_lock(&c->mutex);
    c->places[index].taken = false;
    pthread_mutex_unlock(&c->mutex);
}
