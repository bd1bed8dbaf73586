-- SPDX-License-Identifier: Apache-2.0
{{ accepted_events('base_news', [
    'article_id',
    'url',
    'url_hash',
    'title',
    'description',
    'author',
    'publisher',
    'sentiment_label',
    'sentiment_score',
    'sentiment_relevance',
    'sentiment_reason',
    'language'
]) }}
