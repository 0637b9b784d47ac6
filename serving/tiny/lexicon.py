"""Job: the words that made-up sentences are built from. The lists are our own.

Does not know grammar.
Invariants: nouns are singular, verbs are in the infinitive.
"""


def _list(words: str) -> list[str]:
    return words.replace("\n", "").split("|")


NOUNS = _list(
    """
answer|request|response|prompt|token|model|backend|gateway|tenant|budget|lease|ledger|counter|window|cache|
passage|document|collection|index|query|question|embedding|vector|similarity|threshold|score|ranking|chunk|
heading|page|citation|template|version|digest|schema|grammar|decoder|sampler|temperature|logit|weight|layer|
attention head|KV cache|block|prefix|batch|queue|scheduler|worker|replica|engine|GPU|kernel|adapter|tokenizer|
vocabulary|context window|completion|stream|chunk size|connection|socket|timeout|deadline|retry|backoff|
circuit breaker|health check|probe|failure|error|status code|header|body|client|caller|app|key|secret|digest|
admin key|limit|rate limit|quota|price|cost|invoice|day|month|minute|clock|store|database|table|row|transaction|
lock|replication|snapshot|backup|migration|configuration|file|folder|reload|deployment|container|process|thread|
memory|disk|CPU|core|network|proxy|load balancer|router|alias|policy|guard|filter|classifier|validator|parser|
output|input|message|role|system message|tool call|function|argument|field|parameter|value|default|metric|
histogram|label|trace|span|log|dashboard|alert|test|benchmark|measurement|latency|throughput|percentile|
estimate|forecast|sample|seed|judge|calibration|false hit|eviction|entry|bucket|shard|partition|hash|checksum|
signature|certificate|support ticket|customer|team|operator|developer|reviewer|release|branch|commit|tag|change|
sentence|paragraph|word|byte|character|draft model|speculative token|quantized weight|expert|pipeline|stage|
step|event|callback|buffer|page table|allocator|swap space|first token|decode phase|prefill phase|chat template|
stop sequence|repetition penalty|beam|long prompt|short answer|idle tenant"""
)
VERBS = _list(
    """
count|keep|store|read|write|send|return|refuse|accept|reject|measure|compare|rank|select|drop|retry|cancel|
close|open|reserve|release|settle|charge|record|log|trace|replay|cache|evict|expire|refresh|invalidate|split|
merge|join|render|encode|decode|compress|tokenize|truncate|pad|batch|schedule|preempt|swap|share|copy|move|load|
unload|reload|validate|check|repair|block|mask|sample|generate|predict|stream|forward|route|balance|limit|delay|
throttle|protect|sign|verify|rotate|revoke|hash|index|search|retrieve|fetch|update|delete|replace|override|
inherit|configure|describe|list|show|hide|report|sum|average|estimate|round|convert|map|lock|unlock|notify|wake|
stop|start|pause|resume|create|need|use|contain|receive|produce|carry|name|explain|reduce|increase|double|halve|
save"""
)
ADJECTIVES = _list(
    """
shared|cheap|slow|fast|stale|fresh|empty|full|large|small|long|short|strict|loose|exact|rough|hidden|public|
private|local|remote|idle|busy|healthy|failed|pending|expired|valid|invalid|unknown|missing|duplicate|unique|
random|fixed|dynamic|static|partial|complete|nested|flat|safe|unsafe|signed|encrypted|compressed|cached|
streamed|buffered|batched|parallel|serial|daily|monthly|recent|old|first|last|next|previous|longest|shortest|
nearest|best|worst|hot|cold|internal|external|optional|required|default|custom|final|early|late|greedy|semantic|
lexical|hybrid|dense|sparse|normalized|weighted|sliding|rolling|atomic|durable|volatile"""
)
PLACES = _list(
    """
in memory|on disk|in the ledger|at the edge|behind the proxy|in the header|in the body|per tenant|per model|
per minute|in one transaction|on every call|at startup|on the GPU|in the queue|in plain text|without a lock|
by default|in the background|for each key|across replicas|on the first try|at the end of the stream|
in a single pass|in the order of arrival|for the whole day|under heavy load|during a reload|in the dashboard|
on the way out|on the way in|by hand|over the network|with the answer"""
)
UNITS = _list(
    """
seconds|milliseconds|minutes|hours|days|tokens|requests|bytes|entries|megabytes|attempts|passages|workers|
percent"""
)
LINKS = _list(
    """
because|when|unless|while|before|after|until|so that|if|although|whenever|even though|as long as"""
)
