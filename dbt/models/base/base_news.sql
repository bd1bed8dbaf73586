-- SPDX-License-Identifier: Apache-2.0
{{
    config(
        unique_key=['source', 'dedupe_key', 'is_reject'],
        indexes=[
            {'columns': ['source', 'dedupe_key']},
            {'columns': ['symbol', 'event_time']},
            {'columns': ['loaded_at']}
        ]
    )
}}
{{ typed_events(
    'raw_news',
    columns=[
        ['article_id', 'article_id', 'text', true],
        ['url', 'url', 'text', true],
        ['url_hash', 'url_hash', 'text', true],
        ['title', 'title', 'text', true],
        ['description', 'description', 'text', false],
        ['author', 'author', 'text', false],
        ['publisher', 'publisher', 'text', true],
        ['sentiment_label', ['sentiment', 'label'], 'text', false],
        ['sentiment_score', ['sentiment', 'score'], 'ratio', false],
        ['sentiment_relevance', ['sentiment', 'relevance'], 'ratio', false],
        ['sentiment_reason', ['sentiment', 'reason'], 'text', false],
        ['language', 'lang', 'text', false]
    ]
) }}
