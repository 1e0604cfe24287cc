//! Files that are refused, and the words.

pub(super) const TABLE: &[(&str, &str)] = &[
    (
        "[server]\nlsten = \"127.0.0.1:5000\"",
        "FILE:2:1: server.lsten: there is no such setting\n  hint: did you mean listen?",
    ),
    (
        "[sever]\n",
        "FILE:1:2: sever: there is no such setting\n  hint: did you mean server?",
    ),
    (
        "listen = \"127.0.0.1:5000\"",
        "FILE:1:1: listen: there is no such setting\n  hint: listen belongs in [server]",
    ),
    (
        "[store]\ndefault_upstream = \"docker.io\"",
        "FILE:2:1: store.default_upstream: there is no such setting\n  \
         hint: default_upstream stands above the first section",
    ),
    (
        "\"a\\nb\" = 1",
        "FILE:1:1: \"a\\nb\": there is no such setting",
    ),
    (
        "server = 5",
        "FILE:1:1: server: expected a section, found integer",
    ),
    (
        "[[server]]",
        "FILE:1:3: server: expected a section, found array",
    ),
    (
        "[server]\nlisten = 5000",
        "FILE:2:10: server.listen: expected a string, found integer",
    ),
    (
        "[server]\nlisten = \"localhost:5000\"",
        "FILE:2:10: server.listen: \"localhost:5000\" is not an address and a port\n  \
         hint: write a numeric address and a port, as in \"127.0.0.1:5000\", \"0.0.0.0:5000\" or \"[::]:5000\"",
    ),
    (
        "[server]\ndrain = \"30\"",
        "FILE:2:9: server.drain: \"30\" is not a duration\n  \
         hint: write a number and a unit, as in \"500ms\", \"30s\", \"5m\" or \"1h 30m\"",
    ),
    (
        "[server]\ndrain = \"2days\"",
        "FILE:2:9: server.drain: \"2days\" is not between \"0s\" and \"1day\"",
    ),
    (
        "[server]\nmax_connections = -1",
        "FILE:2:19: server.max_connections: \"-1\" is not a whole number",
    ),
    (
        "[server]\nmax_connections = 0x0",
        "FILE:2:19: server.max_connections: 0 is not between 1 and 1000000",
    ),
    (
        "[server]\nmax_connections = \"1\"",
        "FILE:2:19: server.max_connections: expected an integer, found string",
    ),
    (
        "[store]\nmemory = \"64 parsec\"",
        "FILE:2:10: store.memory: \"64 parsec\" is not a size\n  \
         hint: write a number and a unit, as in \"512KiB\", \"64MiB\" or \"2GiB\"",
    ),
    (
        "[store]\nmemory = 0.5",
        "FILE:2:10: store.memory: expected a string or an integer, found float",
    ),
    ("[store]\npath = \"\"", "FILE:2:8: store.path: it is empty"),
    (
        "[limits]\ninstance_memory = \"8GiB\"",
        "FILE:2:19: limits.instance_memory: \"8GiB\" is not between \"1MiB\" and \"4GiB\"",
    ),
    (
        "[limits]\ntransfers_per_origin = 0",
        "FILE:2:24: limits.transfers_per_origin: 0 is not between 1 and 65536",
    ),
    (
        "[limits]\nbandwidth = 10",
        "FILE:2:13: limits.bandwidth: \"10\" a second is less than \"64KiB\"\n  \
         hint: write a size with its unit, as in \"10MiB\", or \"0\" for no limit",
    ),
    (
        "[limits]\nbandwidth_per_origin = \"10 Mbit/s\"",
        "FILE:2:24: limits.bandwidth_per_origin: \"10 Mbit/s\" is not a size\n  \
         hint: write a number and a unit, as in \"512KiB\", \"64MiB\" or \"2GiB\"",
    ),
    (
        "[transfer]\nabandoned = \"100%\"",
        "FILE:2:13: transfer.abandoned: \"100%\" is neither \"keep\" nor \"stop\" nor a percentage\n  \
         hint: a percentage is written from \"1%\" to \"99%\"",
    ),
    (
        "[transfer]\nabandoned = 50",
        "FILE:2:13: transfer.abandoned: expected a string, found integer",
    ),
    (
        "[transfer]\nprefetch = \"1MiB\"",
        "FILE:2:12: transfer.prefetch: \"1MiB\" is neither \"off\" nor \"small\" nor \"all\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nprefetch = true",
        "FILE:2:12: upstreams.\"ghcr.io\".prefetch: expected a string, found boolean",
    ),
    (
        "[transfer]\nranges = \"part\"",
        "FILE:2:10: transfer.ranges: \"part\" is neither \"whole\" nor a size\n  \
         hint: write a size with its unit, as in \"64MiB\", or \"whole\"",
    ),
    (
        "[transfer]\nleftovers = \"1year\"",
        "FILE:2:13: transfer.leftovers: \"1year\" is not between \"0s\" and \"30days\"",
    ),
    (
        "[log]\nformat = \"xml\"",
        "FILE:2:10: log.format: \"xml\" is not a log format\n  hint: write \"text\" or \"json\"",
    ),
    (
        "[log]\nfilter = \"debgu\"",
        "FILE:2:10: log.filter: \"debgu\" is not a log filter\n  \
         hint: write error, warn, info, debug, trace or off, or pairs as in \"warn,access=info\"",
    ),
    (
        "default_upstream = \"dokcer.io\"",
        "FILE:1:20: default_upstream: no upstream \"dokcer.io\" is configured\n  \
         hint: did you mean \"docker.io\"?",
    ),
    (
        "default_upstream = \"index.docker.io\"",
        "FILE:1:20: default_upstream: no upstream \"index.docker.io\" is configured\n  \
         hint: did you mean \"docker.io\"?",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nurl = \"https://ghcr.io/v2\"",
        "FILE:2:7: upstreams.\"ghcr.io\".url: the URL holds a path, a query or a fragment\n  \
         hint: write scheme, host and port alone, as in \"https://registry.example:5000\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nurl = \"https://me:hunter2@ghcr.io\"",
        "FILE:2:7: upstreams.\"ghcr.io\".url: the URL holds a user name or a password\n  \
         hint: put them under username and password",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nurl = \"ghcr.io\"",
        "FILE:2:7: upstreams.\"ghcr.io\".url: it is not a URL: relative URL without a base\n  \
         hint: write scheme, host and port alone, as in \"https://registry.example:5000\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nurl = \"ftp://ghcr.io\"",
        "FILE:2:7: upstreams.\"ghcr.io\".url: the URL's scheme is \"ftp\", neither https nor http\n  \
         hint: write scheme, host and port alone, as in \"https://registry.example:5000\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nurl = \"https://a\"\nendpoints = [\"https://b\"]",
        "FILE:3:13: upstreams.\"ghcr.io\".endpoints: url and endpoints cannot both be given",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nendpoints = []",
        "FILE:2:13: upstreams.\"ghcr.io\".endpoints: it is empty",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nendpoints = [\"https://a\",\n  \"b\"]",
        "FILE:3:3: upstreams.\"ghcr.io\".endpoints: it is not a URL: relative URL without a base\n  \
         hint: write scheme, host and port alone, as in \"https://registry.example:5000\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nendpoints = [\"https://a\", 5]",
        "FILE:2:13: upstreams.\"ghcr.io\".endpoints: expected a list of strings, found integer",
    ),
    (
        "[upstreams.\"ghcr.io\"]\naliases = \"a\"",
        "FILE:2:11: upstreams.\"ghcr.io\".aliases: expected a list of strings, found string",
    ),
    (
        "[upstreams.\"registry.example\"]\n",
        "FILE:1:12: upstreams.\"registry.example\": it has neither url nor endpoints, and it is not built in\n  \
         hint: add url = \"https://registry.example\"",
    ),
    (
        "[upstreams.\"index.docker.io\"]\n",
        "FILE:1:12: upstreams.\"index.docker.io\": it has neither url nor endpoints, and it is not built in\n  \
         hint: did you mean \"docker.io\"? If not, add url = \"https://index.docker.io\"",
    ),
    (
        "[upstreams.docker.io]\n",
        "FILE:1:12: upstreams.docker: a name with dots in it must stand in quotation marks\n  \
         hint: write [upstreams.\"docker.io\"]",
    ),
    (
        "[upstreams.registry.k8s.io]\nfresh = \"1m\"",
        "FILE:1:12: upstreams.registry: a name with dots in it must stand in quotation marks\n  \
         hint: write [upstreams.\"registry.k8s.io\"]",
    ),
    (
        "[upstreams.\"GHCR.io\"]\n",
        "FILE:1:12: upstreams.\"GHCR.io\": \"GHCR.io\" is not a registry's name\n  \
         hint: write a host in lowercase, with a port if it has one, as in \"registry.example:5000\"",
    ),
    (
        "[upstreams]\n\"ghcr.io\" = \"https://ghcr.io\"",
        "FILE:2:1: upstreams.\"ghcr.io\": expected a section, found string",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nusername = \"me\"",
        "FILE:1:12: upstreams.\"ghcr.io\": username is given without password\n  \
         hint: give both, or neither for anonymous pulls",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nusername = \"me:hunter2\"\npassword = \"x\"",
        "FILE:2:12: upstreams.\"ghcr.io\".username: HTTP's Basic scheme cannot carry it\n  \
         hint: neither may be empty or hold control characters, and a user name holds no colon",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nusername = \"me\"\npassword = [\"hunter2\"]",
        "FILE:3:12: upstreams.\"ghcr.io\".password: expected a string, found array",
    ),
    (
        "[upstreams.\"ghcr.io\"]\npassword_env = \"HUB\"",
        "FILE:1:12: upstreams.\"ghcr.io\": password_env is given without username\n  \
         hint: give both, or neither for anonymous pulls",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nusername = \"me\"\npassword = \"hunter2\"\npassword_file = \"a\"\ntoken_env = \"T\"",
        "FILE:4:17: upstreams.\"ghcr.io\".password_file: it cannot be given beside password\n  \
         hint: an upstream has one way to its credentials: username with password, password_file or password_env; \
         token, token_file or token_env; docker_config; or credential_helper\n\
         FILE:5:13: upstreams.\"ghcr.io\".token_env: it cannot be given beside password\n  \
         hint: an upstream has one way to its credentials: username with password, password_file or password_env; \
         token, token_file or token_env; docker_config; or credential_helper",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nusername = \"me\"\ncredential_helper = \"ecr-login\"",
        "FILE:2:12: upstreams.\"ghcr.io\".username: it cannot be given beside credential_helper\n  \
         hint: an upstream has one way to its credentials: username with password, password_file or password_env; \
         token, token_file or token_env; docker_config; or credential_helper",
    ),
    (
        "[upstreams.\"ghcr.io\"]\ntoken = \"hunter 2\"",
        "FILE:2:9: upstreams.\"ghcr.io\".token: HTTP's Bearer scheme cannot carry it\n  \
         hint: it is visible ASCII alone, without a space",
    ),
    (
        "[upstreams.\"ghcr.io\"]\ntoken_env = \"hunter=2\"",
        "FILE:2:13: upstreams.\"ghcr.io\".token_env: it is not the name of an environment variable\n  \
         hint: write a name of letters, digits and underscores, not the secret itself",
    ),
    (
        "[upstreams.\"ghcr.io\"]\ntoken_file = \"\"",
        "FILE:2:14: upstreams.\"ghcr.io\".token_file: it is empty",
    ),
    (
        "[upstreams.\"ghcr.io\"]\ncredential_helper = \"docker-credential-gcr\"",
        "FILE:2:21: upstreams.\"ghcr.io\".credential_helper: \"docker-credential-gcr\" is not the name of a credential helper\n  \
         hint: write what stands behind docker-credential-, as in \"ecr-login\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\ndocker_config = 5",
        "FILE:2:17: upstreams.\"ghcr.io\".docker_config: expected a string, true or false, found integer",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nca_file = 5",
        "FILE:2:11: upstreams.\"ghcr.io\".ca_file: expected a string or a list of strings, found integer",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nca_file = []",
        "FILE:2:11: upstreams.\"ghcr.io\".ca_file: it is empty",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nca_file = [\"a\", \"\"]",
        "FILE:2:17: upstreams.\"ghcr.io\".ca_file: it is empty",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nclient_key = \"k\"",
        "FILE:1:12: upstreams.\"ghcr.io\": client_key is given without client_certificate\n  \
         hint: give the certificate's file and its key's, or neither",
    ),
    (
        "[upstreams.\"ghcr.io\"]\npasword = \"hunter2\"",
        "FILE:2:1: upstreams.\"ghcr.io\".pasword: there is no such setting\n  \
         hint: did you mean password?",
    ),
    (
        "[upstreams.\"ghcr.io\"]\ntrusted_hosts = [\"https://auth.example\"]",
        "FILE:2:18: upstreams.\"ghcr.io\".trusted_hosts: \"https://auth.example\" is not a host, or a host and a port\n  \
         hint: write it without a scheme, as in \"auth.example\" or \"10.0.0.5:5000\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nfresh = \"1500ms\"",
        "FILE:2:9: upstreams.\"ghcr.io\".fresh: \"1500ms\" is not a whole number of seconds\n  \
         hint: write \"1s\" or more, or \"0s\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nfresh = \"2years\"",
        "FILE:2:9: upstreams.\"ghcr.io\".fresh: \"2years\" is not between \"0s\" and \"1year\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nnegative = \"2h\"",
        "FILE:2:12: upstreams.\"ghcr.io\".negative: \"2h\" is not between \"0s\" and \"1h\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nstale_if_error = \"7\"",
        "FILE:2:18: upstreams.\"ghcr.io\".stale_if_error: \"7\" is not a duration\n  \
         hint: write a number and a unit, as in \"500ms\", \"30s\", \"5m\" or \"1h 30m\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nstale_while_revalidate = 5",
        "FILE:2:26: upstreams.\"ghcr.io\".stale_while_revalidate: expected a string, found integer",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nstale_iferror = \"1d\"",
        "FILE:2:1: upstreams.\"ghcr.io\".stale_iferror: there is no such setting\n  \
         hint: did you mean stale_if_error?",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nclient_no_cache = \"yes\"",
        "FILE:2:19: upstreams.\"ghcr.io\".client_no_cache: expected true or false, found string",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nfreshness = \"1m\"",
        "FILE:2:1: upstreams.\"ghcr.io\".freshness: expected a list of sections, found string",
    ),
    (
        "[upstreams.\"ghcr.io\".freshness]\nfresh = \"1m\"",
        "FILE:1:22: upstreams.\"ghcr.io\".freshness: expected a list of sections, found table",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nfreshness = [5]",
        "FILE:2:14: upstreams.\"ghcr.io\".freshness: expected a list of sections, found integer",
    ),
    (
        "[[upstreams.\"ghcr.io\".freshness]]\ntag = \"v*\"",
        "FILE:1:1: upstreams.\"ghcr.io\".freshness: it has no fresh",
    ),
    (
        "[[upstreams.\"ghcr.io\".freshness]]\nfresh = \"1m\"\ntag = \"a/*\"\nrepositry = \"a\"",
        "FILE:3:7: upstreams.\"ghcr.io\".freshness.tag: the pattern holds '/', which nothing that it is to match can hold\n  \
         hint: \"*\" stands for any characters but slashes and \"**\" for any, as in \"library/*\", \"team/**\" or \"v*\"\n\
         FILE:4:1: upstreams.\"ghcr.io\".freshness.repositry: there is no such setting\n  \
         hint: did you mean repository?",
    ),
    (
        "[[upstreams.\"ghcr.io\".freshness]]\nfresh = \"1m\"\nrepository = \"\"",
        "FILE:3:14: upstreams.\"ghcr.io\".freshness.repository: the pattern is empty\n  \
         hint: \"*\" stands for any characters but slashes and \"**\" for any, as in \"library/*\", \"team/**\" or \"v*\"",
    ),
    (
        "rules = 5",
        "FILE:1:1: rules: expected a list of sections, found integer",
    ),
    (
        "[[rules]]\nname = \"a\"",
        "FILE:1:1: rules: it has no action",
    ),
    (
        "[[rules]]\naction = \"forbid\"\nname = \" a\"",
        "FILE:2:10: rules.action: \"forbid\" is neither \"allow\" nor \"deny\"\n\
         FILE:3:8: rules.name: \" a\" cannot be the name of a rule\n  \
         hint: write 1 to 64 letters, digits, spaces, '.', '_', '-', '/' and ':', no space at either end",
    ),
    (
        "[[rules]]\nname = \"a\"\naction = \"deny\"\nupstream = \"index.docker.io\"",
        "FILE:4:12: rules.upstream: no upstream \"index.docker.io\" is configured\n  \
         hint: did you mean \"docker.io\"?",
    ),
    (
        "[[rules]]\nname = \"a\"\naction = \"deny\"\nplatform = \"arm64\"",
        "FILE:4:12: rules.platform: a platform is written os/architecture or os/architecture/variant\n  \
         hint: write it as in \"linux/amd64\", \"linux/*\" or \"linux/arm/v7\"",
    ),
    (
        "[[rules]]\nname = \"a\"\naction = \"deny\"\n[[rules]]\nname = \"a\"\naction = \"allow\"",
        "FILE:5:8: rules.name: \"a\" is already the name of a rule",
    ),
    (
        "[upstreams.\"ghcr.io\"]\naliases = [\"mirror\"]\n[upstreams.\"quay.io\"]\naliases = [\"mirror\"]",
        "FILE:4:11: upstreams.\"quay.io\".aliases: \"mirror\" is already an alias of ghcr.io",
    ),
    (
        "[upstreams.\"ghcr.io\"]\naliases = [\"quay.io\"]\n[upstreams.\"quay.io\"]",
        "FILE:2:11: upstreams.\"ghcr.io\".aliases: \"quay.io\" is already the name of an upstream",
    ),
    (
        "[server]\nlisten = \"127.0.0.1:5000\"\nlisten = \"127.0.0.1:5001\"",
        "FILE:3:1: it is not valid TOML: duplicate key",
    ),
    (
        "[upstreams.\"ghcr.io\"]\npassword = \"hunter2",
        "FILE:2:20: it is not valid TOML: invalid basic string, expected `\"`",
    ),
    (
        "default_upstream = \n",
        "FILE:1:20: it is not valid TOML: string values must be quoted, expected literal string",
    ),
    (
        "# grüße\n[log]\nfilter = \"ä\", format",
        "FILE:3:13: it is not valid TOML: unexpected key or value, expected newline, `#`",
    ),
];
