-- SPDX-License-Identifier: Apache-2.0
-- Symbols are 1 to 64 letters, digits or any of . : _ / -
{{ config(severity='warn') }}
select distinct symbol
from {{ ref('dim_stocks') }}
where length(symbol) > 64 or length(symbol) = 0 or symbol like '% %'
