// SPDX-License-Identifier: Apache-2.0
// Any answer about option contracts becomes a page of contracts that were asked for, by ticker and each once,
// and of items that have a reason. Input: the first byte chooses what was asked, the rest is the body.
#include "services/ingestor/provider.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mf_calendar *calendar;
    static struct ing_page page;
    static const struct ing_contract_filter filter = {
        .type = MF_OPTION_CALL, .strike_from = "100", .expiration_to = {2025, 1, 1}, .as_of = {2024, 6, 21}};
    if (calendar == NULL && mf_calendar_new(&calendar, NULL) < 0)
        abort();
    if (page.json == NULL)
        ing_page_init(&page);
    if (size == 0)
        return 0;
    struct ing_provider_config config = {.base_url = "https://h", .secret = "key", .calendar = calendar};
    struct ing_work work = {.feed = ING_FEED_CONTRACTS, .limit = 10, .to_us = MF_US_PER_DAY};
    mf_str_copy(work.symbol, sizeof work.symbol,
                data[0] & 1 ? MF_STR("O:AAPL240621C00152500") : MF_STR("AAPL"));
    work.asset_class = mf_asset_class_of_symbol(mf_str_of(work.symbol));
    work.pass = data[0] & 2 ? ING_PASS_DELISTED : ING_PASS_ACTIVE;
    work.filter = data[0] & 4 ? &filter : NULL;
    struct ing_reply reply = {.work = &work, .asked_us = INT64_C(1735689600) * MF_US_PER_SECOND};
    reply.status = data[0] & 8 ? 404 : 200;
    reply.body = (struct mf_str){(const char *)data + 1, size - 1};
    ing_polygon.decode(&config, &reply, &page);
    for (size_t i = 0; i < page.contract_count; i++) {
        const struct ing_contract *contract = &page.contracts[i];
        struct ing_occ occ;
        // A contract's root need not be its underlying: SPXW's is SPX.
        bool asked = work.asset_class == MF_ASSET_OPTION ? strcmp(contract->ticker, work.symbol) == 0
                                                         : strcmp(contract->underlying, "AAPL") == 0;
        if (ing_occ_parse(mf_str_of(contract->ticker), &occ, NULL) < 0 || !asked ||
            contract->underlying[0] == '\0' || contract->shares[0] == '\0' || contract->exercise[0] == '\0' ||
            (i > 0 && strcmp(page.contracts[i - 1].ticker, contract->ticker) >= 0))
            abort();
    }
    for (size_t i = 0; i < page.count; i++) {
        if (page.items[i].reason[0] == '\0')
            abort();
    }
    return 0;
}
