// SPDX-License-Identifier: Apache-2.0
// Wakes the loop when a librdkafka queue has something. librdkafka writes the eventfd when it puts an element
// into an empty queue, and only once until the queue has been served again; so the order is: read the eventfd
// first, then drain until the queue is empty, or write it back when the turn's budget ends sooner. A wake-up
// that is lost all the same costs at most a second: the fallback timer. The timer also keeps
// max.poll.interval.ms from expiring on topics where nothing happens. Failure class: FATAL when there is no
// descriptor.
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/kafka_client.h"

#define FALLBACK_MS 1000

static const uint64_t one = 1;

// The owner, and with it this structure, may be gone when drain returns.
static void on_readable(int fd, unsigned events, void *arg)
{
    (void)events;
    struct kafka_wake *wake = arg;
    uint64_t count;
    // Non-blocking; nothing to read only means that the fallback was here first.
    if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR)
        assert(!"an eventfd that cannot be read");
    wake->drain(wake->owner);
}

static void on_fallback(void *arg)
{
    struct kafka_wake *wake = arg;
    wake->drain(wake->owner);
}

int kafka_wake_start(struct kafka_wake *wake, struct mf_loop *loop, struct rd_kafka_queue_s *queue,
                     void (*drain)(void *owner), void *owner, struct mf_error *err)
{
    *wake = (struct kafka_wake){.queue = queue, .fd = -1, .drain = drain, .owner = owner};
    wake->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake->fd >= 0)
        wake->watch = mf_fd_new(loop, wake->fd, MF_FD_READ, on_readable, wake);
    if (wake->watch == NULL)
        return mf_error_set(err, MF_ERROR_FATAL, "kafka_wake", "cannot watch a Kafka queue: %s",
                            strerror(errno));
    wake->fallback = mf_timer_new(loop, on_fallback, wake);
    mf_timer_arm_every_ms(wake->fallback, FALLBACK_MS);
    rd_kafka_queue_io_event_enable(queue, wake->fd, &one, sizeof one);
    // What was queued before the line above has written nothing: look once.
    kafka_wake_again(wake);
    return 0;
}

void kafka_wake_again(struct kafka_wake *wake)
{
    if (wake->fd < 0)
        return;
    // Can fail only when 2^64 - 2 wake-ups are pending, and then one is pending.
    if (write(wake->fd, &one, sizeof one) < 0)
        assert(errno == EAGAIN);
}

void kafka_wake_stop(struct kafka_wake *wake)
{
    if (wake->queue != NULL)
        rd_kafka_queue_io_event_enable(wake->queue, -1, NULL, 0);
    wake->queue = NULL;
    mf_fd_free(&wake->watch);
    mf_timer_free(&wake->fallback);
}

void kafka_wake_close(struct kafka_wake *wake)
{
    if (wake->fd >= 0)
        close(wake->fd);
    wake->fd = -1;
}
