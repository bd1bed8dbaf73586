// SPDX-License-Identifier: Apache-2.0
// What version 1.1 of a manifest says beyond the offsets: what was asked for, and what each symbol has and
// lacks. Checked whole and counted; nothing of it is kept. Failure class: POISON as in manifest.h.
#ifndef CTL_MANIFEST_SERIES_H
#define CTL_MANIFEST_SERIES_H

#include "common/error.h"
#include "common/json_reader.h"

struct ctl_manifest;

// Of the root of a manifest whose version is 1.1: every member but manifest_version, run_id and raw.
int ctl_manifest_take_series(const struct mf_json_node *root, struct ctl_manifest *manifest,
                             struct mf_error *err);

#endif
