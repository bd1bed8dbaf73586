-- SPDX-License-Identifier: Apache-2.0
{#- No event that was loaded in the last days could not be typed, but for those of which a version was accepted since. -#}
{% test no_new_rejects(model, days) %}
select *
from {{ model }}
where not is_mended
    and loaded_at > {{ utc_now() }} - interval '{{ days }} days'
{% endtest %}
