/*
 * Drives the harness where there is no libFuzzer:
 *   fuzz run SECONDS SEED FINDS FIXTURES   random inputs; one that breaks something is kept in the folder FINDS
 *   fuzz replay FILE                       one kept input again
 *   fuzz digest COUNT FIXTURES             a number over what COUNT inputs give, the same on every processor
 * Exit 0 where nothing broke, 1 where something did, 2 for wrong usage.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_FIXTURES 256
/* 64 inputs that take longer than this have found an endless loop. */
#define PATIENCE_SECONDS 60

struct fixture {
    uint8_t *bytes;
    size_t length;
};

struct fixtures {
    struct fixture list[MOST_FIXTURES];
    uint32_t count;
};

/* What outlives a crash: the input at work, and how many came before. */
struct shared {
    uint64_t runs;
    size_t length;
    uint8_t input[INPUT_MOST];
};

static uint64_t parse_number(const char *text)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno != 0 || *text == 0 || *end != 0) {
        fprintf(stderr, "fuzz: \"%s\" is no number\n", text);
        exit(2);
    }
    return number;
}

/* Words of hex digits, each perhaps with *COUNT behind it; lines that begin with # are comments. */
static size_t parse_hex(FILE *file, uint8_t *out, size_t room)
{
    size_t length = 0;
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, file) > 0) {
        char *rest = line;
        for (char *word; line[0] != '#' && (word = strsep(&rest, " \n")) != NULL;) {
            char *times = strchr(word, '*');
            uint64_t count = times == NULL ? 1 : strtoull(times + 1, NULL, 10);
            size_t digits = times == NULL ? strlen(word) : (size_t)(times - word);
            for (uint64_t i = 0; i < count; i++) {
                for (size_t at = 0; at + 1 < digits && length < room; at += 2) {
                    char pair[3] = {word[at], word[at + 1], 0};
                    out[length++] = (uint8_t)strtoul(pair, NULL, 16);
                }
            }
        }
    }
    free(line);
    return length;
}

static int is_hex(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot != NULL && strcmp(dot, ".hex") == 0;
}

static void load_fixtures(struct fixtures *fixtures, const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_hex, alphasort);
    for (int i = 0; i < count; i++) {
        char *path;
        FILE *file = NULL;
        if (asprintf(&path, "%s/%s", folder, entries[i]->d_name) >= 0)
            file = fopen(path, "r");
        if (file != NULL && fixtures->count < MOST_FIXTURES) {
            struct fixture *fixture = &fixtures->list[fixtures->count++];
            fixture->bytes = malloc(INPUT_MOST);
            REQUIRE(fixture->bytes != NULL);
            fixture->length = parse_hex(file, fixture->bytes, INPUT_MOST);
        }
        if (file != NULL)
            fclose(file);
        free(path);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    if (fixtures->count == 0) {
        fprintf(stderr, "fuzz: no fixtures in %s\n", folder);
        exit(2);
    }
}

static size_t next_input(struct random *random, uint8_t *out, const struct fixtures *fixtures)
{
    const struct fixture *fixture = &fixtures->list[random_below(random, fixtures->count)];
    size_t length = random_below(random, 8) == 0 ? make_input_with(random, out, fixture->bytes, fixture->length)
                                                 : make_input(random, out);
    return random_below(random, 2) == 0 ? mutate_input(random, out, length) : length;
}

static uint64_t seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

/* In a child, whose death is not ours. */
static void run_inputs(struct shared *shared, uint64_t seconds, uint64_t seed, const struct fixtures *fixtures)
{
    struct random random = {seed * 2 + 1};
    uint64_t end = seconds_now() + seconds;
    for (; shared->runs % 64 != 0 || seconds_now() < end; shared->runs++) {
        shared->length = next_input(&random, shared->input, fixtures);
        if (shared->runs % 64 == 0)
            alarm(PATIENCE_SECONDS);
        LLVMFuzzerTestOneInput(shared->input, shared->length);
    }
}

/* Keeps the input that broke something, under a name that depends on its bytes, and says so on stdout. */
static void keep(const struct shared *shared, const char *finds)
{
    char *path;
    digest = 0;
    observe(shared->input, shared->length);
    if (asprintf(&path, "%s/%016llx", finds, (unsigned long long)digest) < 0)
        return;
    mkdir(finds, 0777); /* where it is not there yet */
    FILE *file = fopen(path, "w");
    bool kept = file != NULL && fwrite(shared->input, 1, shared->length, file) == shared->length;
    if (file != NULL)
        kept = fclose(file) == 0 && kept;
    printf(kept ? "fuzz: kept %s\n" : "fuzz: cannot keep %s\n", path);
    free(path);
}

static int run(char *const *arguments)
{
    static struct fixtures fixtures;
    uint64_t seconds = parse_number(arguments[0]), seed = parse_number(arguments[1]);
    load_fixtures(&fixtures, arguments[3]);
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    printf("fuzz: seed %llu, for %llu s\n", (unsigned long long)seed, (unsigned long long)seconds);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        run_inputs(shared, seconds, seed, &fixtures);
        exit(0); /* with the search for leaks */
    }
    int status = 1;
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return 1;
    printf("fuzz: %llu inputs\n", (unsigned long long)shared->runs);
    if (status == 0)
        return 0;
    keep(shared, arguments[2]);
    return 1;
}

static int replay(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "fuzz: cannot read %s: %s\n", path, strerror(errno));
        return 2;
    }
    uint8_t *input = malloc(INPUT_MOST);
    REQUIRE(input != NULL);
    size_t length = fread(input, 1, INPUT_MOST, file);
    fclose(file);
    alarm(PATIENCE_SECONDS);
    LLVMFuzzerTestOneInput(input, length);
    free(input);
    return 0;
}

static int print_digest(uint64_t count, const char *folder)
{
    static struct fixtures fixtures;
    struct random random = {1};
    uint8_t *input = malloc(INPUT_MOST);
    REQUIRE(input != NULL);
    load_fixtures(&fixtures, folder);
    for (uint64_t i = 0; i < count; i++)
        LLVMFuzzerTestOneInput(input, next_input(&random, input, &fixtures));
    free(input);
    printf("%016llx\n", (unsigned long long)digest);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "run") == 0)
        return run(argv + 2);
    if (argc == 3 && strcmp(argv[1], "replay") == 0)
        return replay(argv[2]);
    if (argc == 4 && strcmp(argv[1], "digest") == 0)
        return print_digest(parse_number(argv[2]), argv[3]);
    fprintf(stderr, "usage: %s run SECONDS SEED FINDS FIXTURES | replay FILE | digest COUNT FIXTURES\n", argv[0]);
    return 2;
}
