#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
printf '%s\n' "$1"
