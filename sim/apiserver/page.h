/* SPDX-License-Identifier: Apache-2.0 */
/* Lists, whole or page by page: all pages of one list show the objects of one moment. */
#pragma once

#include "sim/apiserver/answer.h"

void sim_api_page_answer(SimApiStore *store, const SimApiTarget *target, SimApiAnswer *answer);
