#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
short() {
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
    :
}
long() { # BAD
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
    if true; then
        :
    fi
}
