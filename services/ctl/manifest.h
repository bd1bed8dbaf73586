// SPDX-License-Identifier: Apache-2.0
// A manifest: what a backfill published, as the last acknowledged offset per raw partition (docs/operating.md
// describes the file). Strict: what is not in the format is refused, naming the field. The manifest owns its
// memory. Failure classes: CONFIG "bad_file" for a file that cannot be read, POISON for one that is not a
// manifest (json_* of the reader, "unsupported_version", "missing_field", "unknown_field", "bad_type",
// "bad_value", "duplicate_partition").
#ifndef CTL_MANIFEST_H
#define CTL_MANIFEST_H

#include "common/base.h"
#include "common/error.h"

#define CTL_MANIFEST_SIZE_MAX ((size_t)64 * 1024 * 1024)
#define CTL_MANIFEST_PARTITIONS_MAX 1024 // two topics of KAFKA_PARTITIONS, which is at most 512
#define CTL_MANIFEST_SERIES_MAX 50000    // symbols of a run
#define CTL_MANIFEST_TOPIC_MAX 249       // Kafka's own limit

struct ctl_manifest_partition {
    char topic[CTL_MANIFEST_TOPIC_MAX + 1];
    int32_t partition;
    int64_t offset; // of the last record that was acknowledged
};

struct ctl_manifest {
    char run_id[65]; // "" = the file names none
    struct ctl_manifest_partition *partitions;
    size_t count;
    // version 1.1
    bool is_partial;   // the run was not complete
    bool knows_series; // the file says what each symbol has
    size_t series;     // symbols
    uint64_t missing;  // minutes or days, of all of them
};

int ctl_manifest_parse(struct mf_str text, struct ctl_manifest *manifest, struct mf_error *err);
// "-" is standard input.
int ctl_manifest_read(const char *path, struct ctl_manifest *manifest, struct mf_error *err);
void ctl_manifest_free(struct ctl_manifest *manifest);

#endif
