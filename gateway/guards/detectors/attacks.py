"""The phrases that known attacks on prompts are made of, as patterns over text without case, each with its weight.

The weight is the share of a pattern's matches that is believed to be attacks. Families: instructions to be dropped,
the prompt to be told, another role without rules, turns and marks of templates, documents that speak to the model that
reads them; the first two also in German, French, Spanish, Italian, Portuguese, Russian, Chinese, Japanese and Korean.
"""

from typing import Final

STRONG, WEAK = 0.9, 0.3
_GAP = r"[^.!?\n]{0,40}?"  # a few words within one sentence
_ORDERS = (
    r"(?:instruction|prompt|rule|guideline|directive|command|order|restriction|constraint|polic(?:y|ies)|"
    r"programming|training|context|message|direction|guardrail|safeguard|filter)s?"
)
_BEFORE = (
    r"(?:previous|prior|above|earlier|preceding|original|initial|system|existing|current|former|foregoing|"
    r"given|past|developer'?s?|your|all|any|these|those)"
)
_DROP = (
    r"(?:ignore|disregard|forget|override|overrule|bypass|neglect|dismiss|discard|skip|abandon|drop|erase|"
    r"do not follow|don'?t follow|stop following|pay no attention to|no longer (?:follow|obey|bound by)|"
    r"circumvent|violate)"
)
_TELL = (
    r"(?:reveal|show|print|repeat|display|output|tell|give|share|leak|expose|dump|recite|disclose|what (?:is|"
    r"are|was|were)|write (?:out|down)|copy|summari[sz]e|translate|return|spell out|quote)"
)
_OWN = (
    r"(?:system (?:prompt|message|instruction)s?|(?:initial|original|hidden|secret|internal|developer|"
    r"preceding|pre-?) ?(?:prompt|instruction|rule|message|directive|guideline)s?|your (?:prompt|instructions|"
    r"guidelines|directives|rules))"
)
_FREE = (
    r"(?:unrestricted|unfiltered|uncensored|amoral|jailbroken|no (?:restriction|rule|limit|filter|ethic|moral|"
    r"guideline|constraint|boundar)\w*|without (?:any )?(?:restriction|rule|limit|filter|ethic|moral|"
    r"guideline|constraint|boundar)\w*|do anything now|free (?:of|from) (?:all |any )?(?:restriction|rule|"
    r"limit|filter|constraint)\w*|not bound by)"
)
_MODEL = r"(?:ai|llm|assistant|language model|chatbot|gpt|agent|model|copilot|bot)s?"
ATTACKS: Final = (
    # Instructions that are to be dropped.
    (STRONG, rf"\b{_DROP}\b(?: \w+){{0,3}} {_BEFORE}(?: \w+){{0,3}} {_ORDERS}\b"),
    (
        STRONG,
        rf"\b{_DROP}\b (?:everything|anything|all|what(?:ever)?)(?: that)?(?: (?:i|you|was|were|we|they|has|"
        rf"have|is|been|just|had))*(?: (?:said|told|written|instructed|given|learned|before|above|prior|"
        rf"previously|preceding|so far))+",
    ),
    (WEAK, rf"\b{_DROP}\b(?: \w+){{0,4}} {_ORDERS}\b"),
    (
        STRONG,
        r"(?:^|[\n.!:]) ?(?:here are |these are )?(?:your |the )?(?:new|updated|revised|real|actual) "
        r"(?:system )?(?:instructions?|task|prompt|directives?|objective)(?: (?:is|are))?:",
    ),
    (WEAK, r"\b(?:from now on|starting now|henceforth)\b,? (?:you|your|i)\b"),
    (WEAK, r"\b(?:instead|rather)\b,? (?:say|print|output|respond|reply|write|answer|tell|do)\b"),
    # The prompt that is to be told.
    (STRONG, rf"\b{_TELL}\b(?: \w+){{0,5}} {_OWN}\b"),
    (
        STRONG,
        r"\b(?:repeat|print|output|copy|write|echo)\b(?: \w+){0,4} (?:words?|text|everything|all|content|"
        r"lines?)(?: \w+){0,3} (?:above|before|verbatim|preceding|starting with)",
    ),
    # Another role, without rules.
    (
        STRONG,
        rf"\b(?:you are|you're|act as|act like|pretend|play|roleplay|role-play|simulate|become|behave as|"
        rf"respond as|answer as)\b{_GAP}\b{_FREE}",
    ),
    (
        STRONG,
        r"\b(?:you are|you're|act as|you will be|become|called|named|as) (?:now )?(?:going to (?:act as|"
        r"be) )?(?:a |an |the )?\"?(?:dan|stan|dude|aim|evil[- ]?bot|jailbreak|betterdan|devmode|chaosgpt|"
        r"omega|mongo tom)\b",
    ),
    (
        STRONG,
        r"\b(?:dan|developer|debug|god|sudo|admin|jailbreak|unrestricted|maintenance|root|dev|evil) mode\b"
        r"(?: \w+){0,3} (?:enabled|activated|on|unlocked|engaged|output)|\b(?:enable|activate|enter|switch "
        r"(?:in)?to|engage|simulate|unlock)(?: \w+){0,3} (?:developer|dan|debug|god|sudo|jailbreak|"
        r"unrestricted|maintenance|root|dev|evil|admin) mode\b",
    ),
    (
        STRONG,
        r"\bjailbr(?:eak|oken)\b(?: \w+){0,4} (?:mode|prompt|yourself|enabled|gpt|response)|\[?(?:jailbreak|"
        r"🔓)\]? ?(?:output|response|:)",
    ),
    (
        WEAK,
        r"\b(?:stay in character|never break character|you (?:must|will|can) never (?:refuse|say no|decline)|"
        r"cannot refuse|do not (?:refuse|apologi[sz]e|warn|add (?:any )?(?:warning|disclaimer)s?)|without "
        r"(?:any )?(?:warnings?|disclaimers?|refus\w+))",
    ),
    (WEAK, rf"\b{_FREE}"),
    # Turns and marks of templates, which no user writes by hand.
    (
        STRONG,
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|end_header_id)\|>|"
        r"\[/?inst\]|<</?sys>>|<(?:start|end)_of_turn>|</?system(?:[_-]?(?:prompt|message|instruction|"
        r"override))?>",
    ),
    (
        STRONG,
        r"(?:^|\n)\s{0,4}(?:#{1,4}|\[|-{2,5}|={2,5}|\*{2}|<)\s{0,2}(?:system|admin|developer|new|end of "
        r"(?:user|system|context|document))\b[^\n]{0,24}(?:\]|:|-{2,5}|={2,5}|\*{2}|>|prompt|message|"
        r"instructions?|override)",
    ),
    (
        STRONG,
        r"\b(?:begin|start|end|end of)(?: \w+){0,2} (?:system|admin|developer|user) (?:prompt|message|"
        r"instructions?|input)\b",
    ),
    (WEAK, r"(?:^|\n)\s{0,4}(?:system|assistant|admin)\s{0,2}:"),
    # Documents that speak to the model that reads them.
    (
        STRONG,
        rf"\b(?:if you(?:'re| are)(?: an?| the)?|(?:attention|note|notice|message|instructions?|important)"
        rf"(?: \w+)? ?(?:to|for|:|,)?(?: any| all| the| an?| every)*)(?: \w+)? {_MODEL}\b(?: \w+){{0,4}}(?:,|"
        rf":| (?:reading|processing|summari[sz]ing|must|should|you must|please|ignore|do not|analy[sz]ing|"
        rf"parsing|reviewing))",
    ),
    (
        STRONG,
        r"\b(?:do not|don'?t|never|without)\b (?:tell|inform|mention|reveal|telling|informing|mentioning|"
        r"notify|alert|notifying|alerting)(?: \w+){0,4} (?:the )?(?:user|human|customer|owner)s?\b",
    ),
    (
        STRONG,
        r"\b(?:send|forward|post|upload|exfiltrate|transmit|append|include|embed|encode|leak|email|"
        r"e-mail)\b[^.\n]{0,60}\b(?:conversation|chat history|api keys?|credentials?|passwords?|system prompt|"
        r"secrets?|user'?s? (?:data|messages?|e-?mails?|information|name))\b[^.\n]{0,60}(?:https?:|www\.|@|"
        r"\burl\b|webhook|image|server|address)",
    ),
    (
        WEAK,
        r"\b(?:i am|i'm|this is|as)\b (?:your |the |an? )?(?:developer|administrator|admin|creator|openai|"
        r"anthropic|owner|engineer|root)\b",
    ),
    (
        WEAK,
        r"\b(?:hypothetical|fictional|imaginary|for (?:educational|research|testing) purposes|opposite day|"
        r"grandm(?:a|other))\b",
    ),
    (
        WEAK,
        r"\b(?:base64|rot13|hex|morse|reversed?|leetspeak|pig latin|caesar)\b(?: \w+){0,4} (?:decode|encoded|"
        r"instructions?|follow|execute|answer|respond)|\bdecode\b(?: \w+){0,6} (?:and|then) (?:follow|execute|"
        r"do|run|obey|answer)",
    ),
    # The same two in other languages: instructions that are to be dropped, the prompt that is to be told.
    (
        STRONG,
        r"\b(?:ignorier|vergiss|missacht|vergessen sie|ignorieren sie)\w*\b[^.!?\n]{0,40}\b(?:anweisung|"
        r"instruktion|befehl|regel|vorgabe|aufforderung)\w*|\bvergiss alles\b",
    ),
    (
        STRONG,
        r"\b(?:ignore[zr]?|oublie[zr]?|n[ée]glige[zr]?|ne tiens pas compte)\b[^.!?\n]{0,40}\b(?:instruction|"
        r"consigne|r[èe]gle|directive|ordre)s?",
    ),
    (
        STRONG,
        r"\b(?:ignor[ae]r?|olvid[ae]r?|olvídate|desech[ae]|descart[ae])\w*\b[^.!?\n]{0,40}\b(?:instruccion|"
        r"indicacion|regla|orden|directriz|instrucción)\w*",
    ),
    (
        STRONG,
        r"\b(?:ignor[aie]\w*|dimentic\w+|trascura\w*|esque[çc]\w+|desconsider\w+)\b[^.!?\n]{0,40}\b"
        r"(?:istruzion|regol|direttiv|instru[çc][õo]es|regras|ordens|comand)\w*",
    ),
    (
        STRONG,
        r"(?:игнориру|забудь|не обращай внимания|проигнориру)[\pL]*[^.!?\n]{0,40}(?:инструкци|указани|правил|"
        r"команд)",
    ),
    (
        STRONG,
        r"(?:忽略|忽视|无视|忘记|無視|忘れ)[^。！？\n]{0,20}(?:指令|指示|规则|提示|说明|規則|命令)"
        r"|(?:指示|命令|ルール|規則)を?(?:すべて|全て)?(?:無視|忘れ)",
    ),
    (STRONG, r"(?:이전|위의?|모든)[^.\n]{0,12}(?:지시|명령|규칙)[^.\n]{0,8}(?:무시|잊)"),
    (
        STRONG,
        r"\b(?:zeig|verrate|nenn|gib|wiederhole|montre|affiche|révèle|répète|muestra|revela|repite|mostra|"
        r"rivela|ripeti|revele)\w*\b[^.!?\n]{0,40}\b(?:system-?prompt|systemprompt|prompt|systemanweisung\w*|"
        r"instructions? (?:syst[èe]me|initiales?)|instrucciones (?:del sistema|iniciales)|prompt "
        r"(?:di sistema|do sistema|du syst[èe]me|del sistema))",
    ),
)
