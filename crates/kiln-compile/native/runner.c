/* runner FOLDER INPUTS OUTPUTS [REPEAT]
 *
 * Runs a compiled model as a client does, on a machine or an emulator where
 * there is nothing but the C library: FOLDER/libdlr.so is loaded, the file
 * INPUTS is read, the model is run REPEAT times (1 if not given), and the file
 * OUTPUTS is written. It ends with 0, or with 1 after a sentence on stderr.
 *
 * Both files hold tensors, one after another up to the end, all numbers in
 * little endian:
 *
 *     u32 length of the name      then the name
 *     u32 length of the type      then the type, as numpy writes it
 *     u32 rank                    then as many i64, the shape
 *     u64 length of the values    then the values
 *
 * The last tensor of OUTPUTS is no output: it is named `nanoseconds`, of type
 * int64, and has the time of each run. */

#include "system.h"
#include "text.h"

#define RANK_LIMIT 16
#define NAME_LENGTH 256
#define CPU 1

/* Of the C library, as system.h has it, without its headers. */
int creat(const char *path, unsigned mode);
long write(int file, const void *bytes, size_t length);
int close(int file);
void exit(int status) __attribute__((noreturn));
struct time { long seconds, nanoseconds; };
int clock_gettime(int clock, struct time *time);
#define MONOTONIC 1

typedef void *handle;

static struct {
    const char *(*last_error)(void);
    int (*create)(handle *, const char *, int, int);
    int (*delete)(handle *);
    int (*set_input)(handle *, const char *, const int64_t *, const void *, int);
    int (*run)(handle *);
    int (*outputs)(handle *, int *);
    int (*output_name)(handle *, int, const char **);
    int (*output_type)(handle *, int, const char **);
    int (*output_size)(handle *, int, int64_t *, int *);
    int (*output_shape)(handle *, int, int64_t *);
    int (*output)(handle *, int, void *);
} dlr;

static void fail(const char *what, const char *why) __attribute__((noreturn));
static void fail(const char *what, const char *why) {
    char said[1024];
    TEXT(said, sizeof said, "runner: ", what, why ? ": " : "", why ? why : "", "\n");
    if (write(2, said, text_length(said)) < 0) exit(2);
    exit(1);
}

static void check(int outcome) {
    if (outcome) fail(dlr.last_error(), NULL);
}

static void *take(size_t bytes) {
    void *memory = memory_take(bytes);
    if (!memory) fail("there is not enough memory", NULL);
    return memory;
}

static void load(const char *folder) {
    char path[PATH_LENGTH];
    const char *why;
    TEXT(path, sizeof path, folder, "/libdlr.so");
    void *library = library_open(path, &why);
    if (!library) fail("libdlr.so cannot be loaded", why);
    const struct { void **to; const char *name; } functions[] = {
        {(void **)&dlr.last_error, "DLRGetLastError"},
        {(void **)&dlr.create, "CreateDLRModel"},
        {(void **)&dlr.delete, "DeleteDLRModel"},
        {(void **)&dlr.set_input, "SetDLRInput"},
        {(void **)&dlr.run, "RunDLRModel"},
        {(void **)&dlr.outputs, "GetDLRNumOutputs"},
        {(void **)&dlr.output_name, "GetDLROutputName"},
        {(void **)&dlr.output_type, "GetDLROutputType"},
        {(void **)&dlr.output_size, "GetDLROutputSizeDim"},
        {(void **)&dlr.output_shape, "GetDLROutputShape"},
        {(void **)&dlr.output, "GetDLROutput"},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        *functions[i].to = library_symbol(library, functions[i].name);
        if (!*functions[i].to) fail("libdlr.so lacks a function", functions[i].name);
    }
}

/* What is left of the inputs' file. */
struct rest {
    const char *at, *end;
};

static const char *take_bytes(struct rest *rest, uint64_t length) {
    if ((uint64_t)(rest->end - rest->at) < length) fail("the inputs' file ends too soon", NULL);
    const char *bytes = rest->at;
    rest->at += length;
    return bytes;
}

static uint32_t take_number(struct rest *rest) {
    uint32_t number;
    memcpy(&number, take_bytes(rest, sizeof number), sizeof number);
    return number;
}

static void set_input(handle *model, struct rest *rest) {
    char name[NAME_LENGTH];
    int64_t shape[RANK_LIMIT];
    uint64_t length;
    uint32_t letters = take_number(rest);
    if (letters >= NAME_LENGTH) fail("an input's name is too long", NULL);
    memcpy(name, take_bytes(rest, letters), letters);
    name[letters] = 0;
    take_bytes(rest, take_number(rest)); /* the type is the model's */
    uint32_t rank = take_number(rest);
    if (rank > RANK_LIMIT) fail("an input has too many dimensions", name);
    memcpy(shape, take_bytes(rest, rank * sizeof *shape), rank * sizeof *shape);
    memcpy(&length, take_bytes(rest, sizeof length), sizeof length);
    /* Values are aligned wherever they stand in the file. */
    void *values = take((size_t)length);
    memcpy(values, take_bytes(rest, length), (size_t)length);
    check(dlr.set_input(model, name, shape, values, (int)rank));
    memory_give(values);
}

static void set_inputs(handle *model, const char *path) {
    size_t room = (size_t)1 << 16;
    for (;;) {
        char *bytes = take(room);
        long length = file_read(path, bytes, room);
        if (length < 0) fail("the inputs' file cannot be read", path);
        if ((size_t)length < room) {
            struct rest rest = {bytes, bytes + length};
            while (rest.at < rest.end) set_input(model, &rest);
            memory_give(bytes);
            return;
        }
        memory_give(bytes);
        room *= 4;
    }
}

static void put(int file, const void *bytes, size_t length) {
    for (const char *at = bytes; length > 0;) {
        long now = write(file, at, length);
        if (now <= 0) fail("the outputs' file cannot be written", NULL);
        at += now;
        length -= (size_t)now;
    }
}

static void put_number(int file, uint32_t number) { put(file, &number, sizeof number); }

static void put_tensor(int file, const char *name, const char *type, int rank,
                       const int64_t *shape, const void *values, uint64_t length) {
    put_number(file, (uint32_t)text_length(name));
    put(file, name, text_length(name));
    put_number(file, (uint32_t)text_length(type));
    put(file, type, text_length(type));
    put_number(file, (uint32_t)rank);
    put(file, shape, (size_t)rank * sizeof *shape);
    put(file, &length, sizeof length);
    put(file, values, (size_t)length);
}

static size_t width_of(const char *type) {
    size_t bits = 0;
    for (; *type; type++)
        if (*type >= '0' && *type <= '9') bits = bits * 10 + (size_t)(*type - '0');
    return bits < 8 ? 1 : bits >> 3;
}

static void put_output(handle *model, int index, int file) {
    const char *name, *type;
    int64_t shape[RANK_LIMIT], size;
    int rank;
    check(dlr.output_name(model, index, &name));
    check(dlr.output_type(model, index, &type));
    check(dlr.output_size(model, index, &size, &rank));
    if (rank > RANK_LIMIT) fail("an output has too many dimensions", name);
    check(dlr.output_shape(model, index, shape));
    size_t length = (size_t)size * width_of(type);
    void *values = take(length);
    check(dlr.output(model, index, values));
    put_tensor(file, name, type, rank, shape, values, length);
    memory_give(values);
}

static int64_t now(void) {
    struct time time;
    clock_gettime(MONOTONIC, &time);
    return (int64_t)time.seconds * 1000000000 + time.nanoseconds;
}

static int64_t counted(const char *text) {
    int64_t count = 0;
    for (; *text >= '0' && *text <= '9' && count < 1000000; text++)
        count = count * 10 + (*text - '0');
    if (*text || count == 0) fail("the number of runs is none", text);
    return count;
}

int main(int count, char **arguments) {
    if (count < 4) fail("usage: runner FOLDER INPUTS OUTPUTS [REPEAT]", NULL);
    int64_t repeat = count > 4 ? counted(arguments[4]) : 1;
    int64_t *times = take((size_t)repeat * sizeof *times);
    handle model;
    int outputs;
    load(arguments[1]);
    check(dlr.create(&model, arguments[1], CPU, 0));
    set_inputs(&model, arguments[2]);
    for (int64_t i = 0; i < repeat; i++) {
        int64_t begun = now();
        check(dlr.run(&model));
        times[i] = now() - begun;
    }
    int file = creat(arguments[3], 0666);
    if (file < 0) fail("the outputs' file cannot be made", arguments[3]);
    check(dlr.outputs(&model, &outputs));
    for (int i = 0; i < outputs; i++) put_output(&model, i, file);
    put_tensor(file, "nanoseconds", "int64", 1, &repeat, times, (uint64_t)repeat * sizeof *times);
    check(dlr.delete(&model));
    return close(file) ? 1 : 0;
}
