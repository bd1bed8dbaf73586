// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/kafka_client.h"

#include <cmocka.h>

// Hands out [from, to); every one must be taken.
static void hand_out(struct kafka_partition *partition, int64_t from, int64_t to)
{
    for (int64_t offset = from; offset < to; offset++)
        assert_int_equal(kafka_partition_accept(partition, offset), KAFKA_ACCEPT);
}

static struct kafka_partition *only(struct kafka_partitions *partitions, int64_t start)
{
    return kafka_partitions_add(partitions, "t", 0, start);
}

static void a_repeat_is_dropped_and_a_gap_is_not(void **state)
{
    (void)state;
    struct kafka_partitions partitions = {0};
    struct kafka_partition *partition = only(&partitions, KAFKA_AT_COMMITTED);
    hand_out(partition, 100, 103);
    assert_int_equal(kafka_partition_accept(partition, 102), KAFKA_ACCEPT_DROP);
    assert_int_equal(kafka_partition_accept(partition, 0), KAFKA_ACCEPT_DROP);
    // Control records and compaction leave gaps.
    assert_int_equal(kafka_partition_accept(partition, 110), KAFKA_ACCEPT);
    assert_int_equal(partition->next, 111);
    kafka_partitions_clear(&partitions);
}

static void after_going_back_only_what_lies_at_or_before_the_last_one_is_taken(void **state)
{
    (void)state;
    struct kafka_partitions partitions = {0};
    struct kafka_partition *partition = only(&partitions, 0);
    hand_out(partition, 0, 50);
    kafka_partition_moved(partition, 20);
    assert_int_equal(partition->next, 20);
    assert_int_equal(kafka_partition_accept(partition, 50), KAFKA_ACCEPT_RESEEK); // queued before the seek
    assert_int_equal(kafka_partition_accept(partition, 51), KAFKA_ACCEPT_RESEEK);
    assert_int_equal(kafka_partition_accept(partition, 19), KAFKA_ACCEPT_DROP);
    hand_out(partition, 20, 60);
    // A second time, before anything came, and to the edge: 59 was the last one handed out.
    kafka_partition_moved(partition, 30);
    kafka_partition_moved(partition, 10);
    assert_int_equal(kafka_partition_accept(partition, 60), KAFKA_ACCEPT_RESEEK);
    assert_int_equal(kafka_partition_accept(partition, 59), KAFKA_ACCEPT); // the others were compacted away
    kafka_partitions_clear(&partitions);
}

static void going_forwards_or_nowhere_expects_nothing(void **state)
{
    (void)state;
    struct kafka_partitions partitions = {0};
    struct kafka_partition *partition = only(&partitions, 0);
    hand_out(partition, 0, 10);
    kafka_partition_moved(partition, 10);
    assert_int_equal(kafka_partition_accept(partition, 12), KAFKA_ACCEPT);
    kafka_partition_moved(partition, 500);
    assert_int_equal(kafka_partition_accept(partition, 13), KAFKA_ACCEPT_DROP); // from before
    assert_int_equal(kafka_partition_accept(partition, 700), KAFKA_ACCEPT);
    kafka_partitions_clear(&partitions);
}

static void a_log_that_lost_the_record_is_believed_after_three_seeks(void **state)
{
    (void)state;
    struct kafka_partitions partitions = {0};
    struct kafka_partition *partition = only(&partitions, 0);
    hand_out(partition, 0, 10);
    kafka_partition_moved(partition, 5);
    for (int i = 0; i < 3; i++)
        assert_int_equal(kafka_partition_accept(partition, 40), KAFKA_ACCEPT_RESEEK);
    assert_int_equal(kafka_partition_accept(partition, 40), KAFKA_ACCEPT);
    assert_int_equal(partition->next, 41);
    kafka_partitions_clear(&partitions);
}

static void the_beginning_is_a_way_back_too(void **state)
{
    (void)state;
    struct kafka_partitions partitions = {0};
    struct kafka_partition *partition = only(&partitions, KAFKA_AT_COMMITTED);
    kafka_partition_moved(partition, KAFKA_AT_BEGINNING);
    assert_int_equal(kafka_partition_accept(partition, 7), KAFKA_ACCEPT); // wherever the log begins
    kafka_partition_moved(partition, KAFKA_AT_BEGINNING);
    assert_int_equal(kafka_partition_accept(partition, 8), KAFKA_ACCEPT_RESEEK);
    assert_int_equal(kafka_partition_accept(partition, 7), KAFKA_ACCEPT);
    kafka_partition_moved(partition, KAFKA_AT_COMMITTED); // wherever that is
    assert_int_equal(kafka_partition_accept(partition, 1000), KAFKA_ACCEPT);
    kafka_partitions_clear(&partitions);
}

static void the_end_passes_control_records_and_not_a_seek(void **state)
{
    (void)state;
    struct kafka_partitions partitions = {0};
    struct kafka_partition *partition = only(&partitions, 0);
    hand_out(partition, 0, 10);
    kafka_partition_at_end(partition, 11); // 10 is a commit marker
    assert_int_equal(partition->next, 11);
    assert_int_equal(partition->end, 11);
    hand_out(partition, 11, 12);
    assert_int_equal(partition->end, -1);
    kafka_partition_at_end(partition, 5); // older than where we are
    assert_int_equal(partition->end, -1);
    kafka_partition_moved(partition, 3);
    kafka_partition_at_end(partition, 12); // queued before the seek
    assert_int_equal(partition->end, -1);
    assert_int_equal(partition->next, 3);
    kafka_partitions_clear(&partitions);
}

static void partitions_are_found_by_name_and_by_handle(void **state)
{
    (void)state;
    int handles[2];
    const struct rd_kafka_topic_s *a = (void *)&handles[0], *b = (void *)&handles[1];
    struct kafka_partitions partitions = {0};
    for (int32_t i = 0; i < 20; i++)
        kafka_partitions_add(&partitions, i % 2 == 0 ? "even" : "odd", i / 2, i);
    for (int round = 0; round < 2; round++) { // the second time by the remembered handle
        for (int32_t i = 0; i < 20; i++) {
            const char *name = i % 2 == 0 ? "even" : "odd";
            struct kafka_partition *found =
                kafka_partitions_find_native(&partitions, i % 2 == 0 ? a : b, name, i / 2);
            assert_non_null(found);
            assert_int_equal(found->start, i);
            assert_ptr_equal(found, kafka_partitions_find(&partitions, name, i / 2));
        }
    }
    assert_null(kafka_partitions_find(&partitions, "even", 10));
    assert_null(kafka_partitions_find(&partitions, "neither", 0));
    assert_null(kafka_partitions_find_native(&partitions, a, "even", 10));
    kafka_partitions_clear(&partitions);
    assert_int_equal(partitions.count, 0);
    assert_null(kafka_partitions_find(&partitions, "even", 0));
    assert_null(kafka_partitions_find_native(&partitions, a, "even", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeat_is_dropped_and_a_gap_is_not),
        cmocka_unit_test(after_going_back_only_what_lies_at_or_before_the_last_one_is_taken),
        cmocka_unit_test(going_forwards_or_nowhere_expects_nothing),
        cmocka_unit_test(a_log_that_lost_the_record_is_believed_after_three_seeks),
        cmocka_unit_test(the_beginning_is_a_way_back_too),
        cmocka_unit_test(the_end_passes_control_records_and_not_a_seek),
        cmocka_unit_test(partitions_are_found_by_name_and_by_handle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
