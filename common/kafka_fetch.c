// SPDX-License-Identifier: Apache-2.0
// Two remedies with one means. Once the local queue has passed its limit, librdkafka's broker thread looks at
// it again only after up to a second (librdkafka#2879), and a drain goes at the pace of that second; later
// versions have fetch.queue.backoff.ms, and where that is unknown, the thread is woken when the queue runs
// low. A partition that is resumed is not told to the thread either (a seek is), so the consumer wakes it
// then. rd_kafka_sasl_set_credentials is what wakes it: it stores two strings, which mean nothing without
// SASL and are the same ones with it, and wakes every broker thread. Nothing here can fail.
#include <librdkafka/rdkafka.h>

#include "common/kafka_client.h"

// Low enough that the queue takes a whole fetch again, high enough that it does not run empty meanwhile.
#define QUEUE_LOW_MESSAGES 5000

void kafka_fetch_init(struct kafka_fetch *fetch, const struct mf_settings *settings)
{
    *fetch =
        (struct kafka_fetch){.wake = !kafka_config_has_fetch_backoff(),
                             .limit_bytes = (size_t)mf_settings_integer(settings, "KAFKA_FETCH_QUEUE_BYTES")};
}

void kafka_fetch_wake(const struct kafka_client *client)
{
    const char *user = mf_settings_string(client->config.settings, "KAFKA_SASL_USERNAME");
    const char *password = mf_settings_string(client->config.settings, "KAFKA_SASL_PASSWORD");
    rd_kafka_error_t *error = rd_kafka_sasl_set_credentials(client->rk, user != NULL ? user : "none",
                                                            password != NULL ? password : "none");
    rd_kafka_error_destroy(error); // NULL: both strings were given
}

void kafka_fetch_turn(struct kafka_fetch *fetch, struct kafka_client *client)
{
    if (!fetch->wake)
        return;
    int queued = (int)rd_kafka_queue_length(client->queue);
    bool ran_low = fetch->queue_peak >= QUEUE_LOW_MESSAGES && queued < QUEUE_LOW_MESSAGES;
    // Large records never count 5 000: then when half is gone, and a good part of the queue's bytes.
    bool ran_half = queued * 2 <= fetch->queue_peak && fetch->bytes >= fetch->limit_bytes / 4;
    if (ran_low || ran_half) {
        kafka_fetch_wake(client);
        fetch->bytes = 0;
        fetch->queue_peak = queued;
    } else if (queued > fetch->queue_peak) {
        fetch->queue_peak = queued;
    }
}
