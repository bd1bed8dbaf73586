-- SPDX-License-Identifier: Apache-2.0
{#- As many rows as another relation has distinct keys; both may be narrowed. -#}
{% test row_count_vs_source(model, compare_to, keys, where_condition='1 = 1', compare_where='1 = 1') %}
select
    here.row_count,
    there.row_count as expected_count
from (select count(*) as row_count from {{ model }} where {{ where_condition }}) as here
cross join (
    select count(*) as row_count
    from (select distinct {{ keys | join(', ') }} from {{ compare_to }} where {{ compare_where }}) as k
) as there
where here.row_count <> there.row_count
{% endtest %}
