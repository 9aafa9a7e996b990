/* libmodbus_poller PORT UNITS REGISTERS PERIOD_US: polls with libmodbus until killed; period 0 = at once again.
 *
 * One connection, one request at a time (libmodbus knows no other way), slots of absolute time spread
 * over the period, registers left in an array of 16-bit words. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <modbus/modbus.h>

enum { LONGEST = 125, UNITS_MAX = 248 };

static uint16_t words[UNITS_MAX][65536];

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: libmodbus_poller PORT UNITS REGISTERS PERIOD_US\n");
        return 64;
    }
    int units = atoi(argv[2]), registers = atoi(argv[3]);
    long step_ns = atol(argv[4]) * 1000 / units;
    modbus_t *ctx = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
    modbus_set_response_timeout(ctx, 0, 500000);
    if (modbus_connect(ctx) < 0) {
        fprintf(stderr, "libmodbus_poller: %s\n", modbus_strerror(errno));
        return 1;
    }
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (;;) {
        for (int unit = 1; unit <= units; unit++) {
            if (step_ns) {
                clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
                due.tv_nsec += step_ns;
                due.tv_sec += due.tv_nsec / 1000000000;
                due.tv_nsec %= 1000000000;
            }
            modbus_set_slave(ctx, unit);
            for (int start = 0; start < registers; start += LONGEST) {
                int count = registers - start < LONGEST ? registers - start : LONGEST;
                if (modbus_read_registers(ctx, start, count, &words[unit][start]) != count) {
                    fprintf(stderr, "libmodbus_poller: %s\n", modbus_strerror(errno));
                    return 1;
                }
            }
        }
    }
}
