/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/simulate_show.h"
void cli_simulate_show_svg(const CliSimulateOutcome *outcome, Text *out) {
}
