// SPDX-License-Identifier: Apache-2.0
// The fast way to read a bar or a metric, for common/event_decode.c only; others call mf_event_decode.
//
// Nearly all records are bars and metrics that our own services wrote, in one field order (event_encode.c),
// without blanks and escapes. Such a record can be read in one pass over its bytes: what stands between two
// values is one literal, a value is read where it must stand, a number is validated and read in one step, the
// dates of one record are mostly the same date. The content hash and the event_id are computed over one
// buffer each.
//
// It verifies all that the general way verifies: types, limits, formats, ranges, consistency, and that
// event_id is the id of the content. It says yes or nothing: whatever is wrong or merely unusual (another
// order, blanks, escapes, unknown fields, text beyond ASCII, a negative number, numbers of more than 18
// digits) is left to the general way, which alone knows reasons. So there is one set of errors, and this part
// may be incomplete but never lenient: what it takes, the general way takes too, with the same event.
// tests/unit/test_event_fast.c compares the two over random bars and their mutations,
// tests/fuzz/fuzz_event_fast.c over anything.
//
// Adding a field to bars: it works unchanged (records with the field take the general way), and gets fast
// again when the field has its place in event_fast.c.
#ifndef MF_EVENT_FAST_H
#define MF_EVENT_FAST_H

#include "event.h"

// Where the event_id of a record in canonical form begins.
#define MF_EVENT_FAST_ID_AT (sizeof("{\"schema_version\":\"1.0\",\"event_type\":\"bar\",\"event_id\":\"") - 1)

#define MF_EVENT_FAST_METRIC_ID_AT (MF_EVENT_FAST_ID_AT + sizeof("metric") - sizeof("bar"))

// True, with *event as mf_event_decode gives it and its views in bytes, for a good bar (of a feed, or
// derived) in canonical form. False for everything else; *event may then hold anything.
bool mf_event_fast_bar(struct mf_str bytes, struct mf_event *event);
// All but the last step: id is that of what was read, event_id any 32 bytes. So that tests can give a record
// the id that this way finds right, and see whether the tables agree.
bool mf_event_fast_read(struct mf_str bytes, struct mf_event *event, char id[MF_EVENT_ID_SIZE]);
// The same two for a metric in canonical form, as our processor writes it. Of its statistics those whose bit
// in `present` is set are touched.
bool mf_event_fast_metric(struct mf_str bytes, struct mf_event *event);
bool mf_event_fast_read_metric(struct mf_str bytes, struct mf_event *event, char id[MF_EVENT_ID_SIZE]);
// mf_event_decode by the tables alone: the reference for the fast way, in tests and benchmarks.
int mf_event_decode_by_table(struct mf_json *json, struct mf_str bytes, struct mf_event *event,
                             struct mf_event_problems *problems, struct mf_error *err);

#endif
