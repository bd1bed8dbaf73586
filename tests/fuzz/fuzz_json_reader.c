// SPDX-License-Identifier: Apache-2.0
// What parses, written by the writer, is no longer than before, parses again, and is then written the same.
#include "common/json_reader.h"
#include "common/json_writer.h"

static void put(struct mf_json_writer *w, const struct mf_json_node *node)
{
    bool is_object = mf_json_type(node) == MF_JSON_OBJECT;
    switch (mf_json_type(node)) {
    case MF_JSON_NUMBER: mf_jw_number_text(w, mf_json_text(node)); return; // asserts the grammar
    case MF_JSON_STRING: mf_jw_string(w, mf_json_text(node)); return;
    case MF_JSON_BOOL: mf_jw_bool(w, mf_json_bool(node)); return;
    case MF_JSON_NULL: mf_jw_null(w); return;
    default: is_object ? mf_jw_object_begin(w) : mf_jw_array_begin(w);
    }
    for (const struct mf_json_node *at = mf_json_first(node); at != NULL; at = mf_json_next(at)) {
        if (is_object)
            mf_jw_key_str(w, mf_json_key(at));
        put(w, at);
    }
    is_object ? mf_jw_object_end(w) : mf_jw_array_end(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mf_json *json; // reused for every input, as a service does
    const struct mf_json_node *root = NULL;
    struct mf_str text = {(const char *)data, size};
    struct mf_buf out[2] = {{.max = size}, {.max = size}};
    json = json != NULL ? json : mf_json_new();
    for (int i = 0; i < 2 && (mf_json_parse(json, text, &mf_json_limits_event, &root, NULL) == 0); i++) {
        put(&(struct mf_json_writer){.out = &out[i]}, root);
        text = mf_buf_str(&out[i]);
    }
    assert(mf_str_eq(mf_buf_str(&out[0]), mf_buf_str(&out[1])) && !out[0].overflow);
    mf_buf_free(&out[0]);
    mf_buf_free(&out[1]);
    return 0;
}
