/* A Modbus server on libmodbus, for tests: `libmodbus_server tcp` or `libmodbus_server rtu PORT`, unit 1.
 *
 * Says "ready" and, on TCP, its port; serves one connection after another and ends by itself after two minutes.
 * Odd coils and every third discrete input are on, input register n holds 1000 + n. The holding registers hold each
 * type in each byte order, 32 registers an order, and a text of five registers at 27; everything from BEYOND on is
 * refused (exception 2).
 */
#include <arpa/inet.h>
#include <modbus/modbus.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BITS = 32, INPUTS = 16, EACH = 32, ORDERS = 4, BEYOND = EACH * ORDERS, LIFE_S = 120 };

/* A number of `size` bytes, most significant first, into registers: words reversed, bytes in each word swapped. */
static void put(uint16_t *to, uint64_t number, int size, int reversed, int swapped)
{
    int words = size / 2;
    for (int at = 0; at < words; at++) {
        uint16_t word = number >> 16 * (words - 1 - at);
        to[reversed ? words - 1 - at : at] = swapped ? (uint16_t)(word << 8 | word >> 8) : word;
    }
}

/* A text, two bytes in a register: the high byte first, or swapped. */
static void say(uint16_t *to, const char *text, int swapped)
{
    for (size_t at = 0; at < strlen(text); at++)
        to[at / 2] |= (uint16_t)(unsigned char)text[at] << (at % 2 == (size_t)swapped ? 8 : 0);
}

static void fill(uint16_t *to, int reversed, int swapped)
{
    say(to + 27, "LM-2026-7", swapped);
    float single = -1234.5f;
    double twice = -1234.56789;
    uint32_t single_bits;
    uint64_t twice_bits;
    memcpy(&single_bits, &single, sizeof single);
    memcpy(&twice_bits, &twice, sizeof twice);
    put(to + 0, 60001, 2, reversed, swapped);
    put(to + 1, (uint16_t)-12345, 2, reversed, swapped);
    put(to + 2, 4000000001u, 4, reversed, swapped);
    put(to + 4, (uint32_t)-2000000001, 4, reversed, swapped);
    put(to + 6, single_bits, 4, reversed, swapped);
    put(to + 8, 9007199254740991ull, 8, reversed, swapped);
    put(to + 12, (uint64_t)-4503599627370495ll, 8, reversed, swapped);
    put(to + 16, twice_bits, 8, reversed, swapped);
    put(to + 20, 0x1234, 2, reversed, swapped);
    put(to + 21, 0x12345678, 4, reversed, swapped);
    put(to + 23, 0x1234567890123456ull, 8, reversed, swapped);
}

static void serve(modbus_t *context, modbus_mapping_t *mapping)
{
    uint8_t query[MODBUS_MAX_ADU_LENGTH];
    int size;
    while ((size = modbus_receive(context, query)) >= 0)
        if (size > 0)
            modbus_reply(context, query, size, mapping);
}

static int serve_tcp(modbus_mapping_t *mapping)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    modbus_t *context = modbus_new_tcp("127.0.0.1", 0);
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    if (context == NULL || bind(listening, (struct sockaddr *)&address, size) || listen(listening, 1) ||
        getsockname(listening, (struct sockaddr *)&address, &size))
        return 1;
    printf("ready %d\n", ntohs(address.sin_port));
    fflush(stdout);
    while (modbus_tcp_accept(context, &listening) >= 0) {
        serve(context, mapping);
        modbus_close(context);
    }
    return 1;
}

static int serve_rtu(modbus_mapping_t *mapping, const char *port)
{
    modbus_t *context = modbus_new_rtu(port, 115200, 'N', 8, 1);
    if (context == NULL || modbus_set_slave(context, 1) || modbus_connect(context))
        return 1;
    printf("ready\n");
    fflush(stdout);
    for (;;)
        serve(context, mapping);
}

int main(int count, char **arguments)
{
    modbus_mapping_t *mapping = modbus_mapping_new(BITS, BITS, BEYOND, INPUTS);
    alarm(LIFE_S);
    if (mapping == NULL || count < 2)
        return 2;
    for (int at = 0; at < BITS; at++) {
        mapping->tab_bits[at] = at % 2;
        mapping->tab_input_bits[at] = at % 3 == 0;
    }
    for (int at = 0; at < INPUTS; at++)
        mapping->tab_input_registers[at] = 1000 + at;
    for (int order = 0; order < ORDERS; order++) /* abcd, badc, cdab, dcba */
        fill(mapping->tab_registers + EACH * order, order & 2, order & 1);
    return count > 2 ? serve_rtu(mapping, arguments[2]) : serve_tcp(mapping);
}
