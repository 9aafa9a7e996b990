/* Serves one device image with libmodbus: a server that shares no code with the gateway.
 *
 *   libmodbus_server tcp < IMAGE          Modbus TCP on a free port of 127.0.0.1
 *   libmodbus_server rtu BAUD < IMAGE     RTU, 8E1, on a pseudo terminal of its own
 *
 * IMAGE is lines of words:
 *   unit U
 *   limits REGISTERS BITS EXCEPTION       longest reads, and what refuses a longer one
 *   hole AREA LOW HIGH                    addresses that do not exist
 *   run AREA START VALUE...               coil, discrete, holding or input
 *
 * Prints the port, or the path of the terminal, on one line and serves until killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <modbus/modbus.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { AREAS = 4, ADDRESSES = 65536, LINE_BYTES = 1 << 20 };

/* In the order of their function codes 1 to 4. */
static const char *const NAMES[AREAS] = {"coil", "discrete", "holding", "input"};

/* Which addresses exist. */
static uint8_t there[AREAS][ADDRESSES];
static int unit = 1, registers_max = 125, bits_max = 2000, too_long = 3;

static void fail(const char *what) {
    fprintf(stderr, "libmodbus_server: %s: %s\n", what, modbus_strerror(errno));
    exit(1);
}

static int area_named(const char *name) {
    for (int area = 0; area < AREAS; area++) {
        if (name && strcmp(name, NAMES[area]) == 0) {
            return area;
        }
    }
    errno = EINVAL;
    fail("no such area");
    return 0;
}

static int number(void) {
    const char *word = strtok(NULL, " \n");
    if (!word) {
        errno = EINVAL;
        fail("a number is missing");
    }
    return atoi(word);
}

static void put(modbus_mapping_t *map, int area, int address, int value) {
    there[area][address] = 1;
    if (area == 0) {
        map->tab_bits[address] = value != 0;
    } else if (area == 1) {
        map->tab_input_bits[address] = value != 0;
    } else if (area == 2) {
        map->tab_registers[address] = value;
    } else {
        map->tab_input_registers[address] = value;
    }
}

static void read_image(modbus_mapping_t *map) {
    static char line[LINE_BYTES];
    while (fgets(line, sizeof line, stdin)) {
        const char *key = strtok(line, " \n");
        if (!key) {
            continue;
        }
        if (strcmp(key, "unit") == 0) {
            unit = number();
        } else if (strcmp(key, "limits") == 0) {
            registers_max = number();
            bits_max = number();
            too_long = number();
        } else if (strcmp(key, "hole") == 0) {
            int area = area_named(strtok(NULL, " \n"));
            int low = number(), high = number();
            memset(&there[area][low], 0, high - low + 1);
        } else {
            int area = area_named(strtok(NULL, " \n"));
            int address = number();
            for (const char *word = strtok(NULL, " \n"); word; word = strtok(NULL, " \n")) {
                put(map, area, address++, atoi(word));
            }
        }
    }
}

/* The exception a read deserves, 0 for none. libmodbus itself knows no holes and no limits. */
static int refusal(const uint8_t *pdu) {
    int area = pdu[0] - 1;
    int start = pdu[1] << 8 | pdu[2], count = pdu[3] << 8 | pdu[4];
    if (area < 0 || area >= AREAS) {
        return 0;
    }
    if (count > (area < 2 ? bits_max : registers_max)) {
        return too_long;
    }
    for (int address = start; address < start + count; address++) {
        if (address >= ADDRESSES || !there[area][address]) {
            return MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS;
        }
    }
    return 0;
}

static void serve(modbus_t *ctx, modbus_mapping_t *map) {
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    int header = modbus_get_header_length(ctx);
    for (;;) {
        int length = modbus_receive(ctx, query);
        if (length < 0) {
            return;
        }
        if (length == 0 || query[header - 1] != unit) {
            continue;
        }
        int code = refusal(query + header);
        int sent = code ? modbus_reply_exception(ctx, query, code)
                        : modbus_reply(ctx, query, length, map);
        if (sent < 0) {
            return;
        }
    }
}

static void serve_tcp(modbus_mapping_t *map) {
    modbus_t *ctx = modbus_new_tcp("127.0.0.1", 0);
    if (!ctx) {
        fail("no TCP context");
    }
    int listener = modbus_tcp_listen(ctx, 1);
    struct sockaddr_in bound;
    socklen_t size = sizeof bound;
    if (listener < 0 || getsockname(listener, (struct sockaddr *)&bound, &size) < 0) {
        fail("cannot listen");
    }
    printf("%d\n", ntohs(bound.sin_port));
    fflush(stdout);
    for (;;) {
        if (modbus_tcp_accept(ctx, &listener) < 0) {
            fail("cannot accept");
        }
        serve(ctx, map);
        modbus_close(ctx);
    }
}

/* libmodbus is given the terminal's other end: it opens only devices that have a name. */
static void serve_rtu(modbus_mapping_t *map, int baud) {
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) {
        fail("no pseudo terminal");
    }
    /* An end nobody holds open would end the other one. */
    int held = open(ptsname(master), O_RDWR | O_NOCTTY);
    struct termios raw;
    if (held < 0 || tcgetattr(held, &raw) < 0) {
        fail("no terminal");
    }
    cfmakeraw(&raw);
    tcsetattr(held, TCSANOW, &raw);
    modbus_t *ctx = modbus_new_rtu(ptsname(master), baud, 'E', 8, 1);
    if (!ctx || modbus_set_slave(ctx, unit) < 0 || modbus_set_socket(ctx, master) < 0) {
        fail("no RTU context");
    }
    printf("%s\n", ptsname(master));
    fflush(stdout);
    for (;;) {
        serve(ctx, map);
    }
}

int main(int argc, char **argv) {
    modbus_mapping_t *map = modbus_mapping_new(ADDRESSES, ADDRESSES, ADDRESSES, ADDRESSES);
    if (!map) {
        fail("no memory");
    }
    read_image(map);
    if (argc == 3 && strcmp(argv[1], "rtu") == 0) {
        serve_rtu(map, atoi(argv[2]));
    } else {
        serve_tcp(map);
    }
    return 0;
}
