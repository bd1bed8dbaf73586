// SPDX-License-Identifier: Apache-2.0
// Arguments that say which option contracts are meant: of which underlyings, and which of theirs. The same
// for all commands about options. Pure. Failure class: CONFIG, naming the option.
#ifndef ING_CONTRACT_ARGS_H
#define ING_CONTRACT_ARGS_H

#include "common/service.h"
#include "services/ingestor/provider.h"
#include "services/ingestor/symbols.h"

struct ing_contract_texts { // as given; NULL = not given
    const char *underlying, *expiration_from, *expiration_to, *strike_from, *strike_to, *type, *as_of;
};
#define ING_CONTRACT_OPTIONS 7
// --underlying A,B, --expiration-from, --expiration-to, --strike-from, --strike-to, --type and --as-of, in
// this order; who has no use for the last leaves it out.
void ing_contract_options(struct ing_contract_texts *texts, struct mf_option options[ING_CONTRACT_OPTIONS]);

// Everything but the underlyings. as_of is year 0 when it is not given; today bounds it.
int ing_contract_filter_parse(const struct ing_contract_texts *texts, struct mf_date today,
                              struct ing_contract_filter *filter, struct mf_error *err);
// The underlyings of a list: stocks and indices.
int ing_underlyings_add(struct ing_symbols *symbols, const char *list, struct mf_error *err);
// Are filters given, of which single contracts have no use?
bool ing_contract_texts_filter(const struct ing_contract_texts *texts);
// The filter as one line of text, for a run's identity.
void ing_contract_filter_write(const struct ing_contract_filter *filter, struct mf_buf *out);

#endif
