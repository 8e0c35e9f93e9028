/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ALTFIB_DIRECT_H
#define ALTFIB_DIRECT_H

/* Each is named by assembler code. */
void altfib_direct_seen(void);
void altfib_direct_tramp(void);

#endif
