"""What attackers try first, casefolded and without spaces: whole passwords, and the words that others are made of.

Data only. From the lists that the library zxcvbn (MIT) comes with, less what is only obscene; and what is typed where
notebooks are served. Passwords of less than twelve characters need no row: they are refused for their length.
"""

from typing import Final

COMMON_PASSWORDS: Final = frozenset(
    """
010203040506 0123456789ab 014702580369 01telemike01 102030405060 1111111111zz 111222333000 111222333444555
112233445566 122333444455555 123321456654 123321qweewq 1234567890ab 1234567890qaz 1234567890qw 1234567890zzz
123456789qaz 123456789qqq 1234qwerasdfzxcv 123qwe456rty 12qw34er56ty 159753456852 1a2s3d4f5g6h 1q2w3e4r5t6y
1q2w3e4r5t6y7u 1q2w3e4r5t6y7u8i 1qa2ws3ed4rf 1qa2ws3ed4rf5tg 1qaz2wsx3edc 1qaz2wsx3edc4rfv 1qazxsw23edc
1qazxsw23edcvfr4 23176djivanfros 31217221027711 32615948worms 41d8cd98f00b 4815162342lost 541233432442 59382113kevinp
742617000027 89231243658s 89876065093rax a1s2d3f4g5h6 admin18533362 amadeusptfcor an83546921an13 andrewjackie
antananarivu auckland2010 avrillavigne bltynbabrfwbz boy4u2ownnyc bpgjldsgjldthnf businessbabe chickenwing101
cjdthitycndj combat123654 contortionist corperfmonsy correcthorsebatterystaple counterstrike devilmaycry4 digitalprodu
dkflbvbhjdbx dkflbvbhjdyf domainlock2005 finalfantasy fkmnthyfnbdf fktrcfylhjdbx fktrcfylhjdf fktrcfylhjdyf
flvbybcnhfnjh frederiksberg fynfyfyfhbde ghbdtnrfrltkf ghhh47hj7649 ghjcnjgbpltw ghjcnjgfhjkm ghjcnjqgfhjkm
ghjcnjrdfibyj ghjnbdjcnjzybt gjkysqgbpltw greenlantern gtnhjpfdjlcr hd764nw5d7e1vb1 hedimaptfcor iampurehaha2
ilovemyfamily ingodwetrust installdevic installsqlst iseedeadpeople justinbieber leavemealone letmeinplease
lhbjkjubz2957704 lost4815162342 lytghjgtnhjdcr mailcreated5240 maprchem56458 massimiliano maurolarastefy mevefalkcakk
michaeljackson minnesota_hp morganstanley mortalkombat msorcloledbr needforspeed nemvxyheqdd5oqxyxyzi networkingpe
newproject2004 nhecsyfujkjdt nhfdvfnjkju123 nhfycajhvths nightcrawler nondriversig olcrackmaster ontheoutside
p030710p$e4o paraklast1974 passwordstandard playstation2 playstation3 polniypizdec0211 polniypizdec110211 ptybnxtvgbjy
punksnotdead q1w2e3r4t5y6 q1w2e3r4t5y6u7 q1w2e3r4t5y6u7i8 q1w2e3r4t5y6u7i8o9p0 qawsedrftgyh qaz123wsx456 qazwsxedcrfv
qazwsxedcrfvtgb qazxswedcvfr qwaszxerdfcv qwerasdfzxcv qwertasdfgzxcvb qwertyasdfgh qwertyytrewq residentevil
sanfrancisco saun24865709 schoolgirlie seemnemaailm sojdlg123aljg sonnenschein sonyericsson specialinsta stickdaddy77
stinkyfinger stratocaster systemofadown temppassword thecakeisalie thisismypassword ticketmaster trustno1trustno1
vanyarespekt vfvfvskfhfve vladimirovna warhammer40k wazzkaprivet websolutions websolutionssu webuivalidat
weihnachtsbau weihnachtsbaum welcometothejungle whosyourdaddy z1x2c3v4b5n6m7 zaq12wsxcde3 zaq1xsw2cde3 zaqwsxcderfv
zcfvfzkexifz zqjphsyf6ctifgu
""".split()  # noqa: SIM905 - three thousand rows
)

COMMON_WORDS: Final = frozenset(
    """
aaliyah aardvark aaron aberdeen abgrtyu abraham absolut access accord achilles action adam adgjmptw adidas admin
administrator adonis adrian aezakmi aggies agnes aikido airborne airbus airforce airplane alabama alan alaska albatros
albert alberta alberto albion alejandr alejandro aleksandr aleksandra aleksey alex alexande alexandr alexis alfa
alfonso alfred alfredo alibaba alice alicia aliens alison allan allison allmine allsop allstar alma alpha alpine alton
alucard alvin amadeus amanda amateur amazon amber amelia america amsterda amsterdam anaconda anakin anarchy andre
andrea andrei andres andrew andrey andromeda andy anfield angel angela angelo angels angie anhyeuem animal anime anita
anna anne annette annie anthony antonio anubis apache apollo apple applepie apples april aquarius aragorn archie
arizona arjay arlene armando armani arsenal artemis arthur artur arturo asdasd asdf asdfasdf asdfg asdfgh asdfghj
asdfghjk asdfghjkl asdfjkl asdzxc ashley aspire aspirine asterix astros atlanta atlantis atomic auburn audrey august
aussie austin australi autumn avalanch avalon avatar avenger awesome azamat azerty azsxdc azsxdcfv babe babyblue
babyboy babydoll babygirl babylon bacardi backdoor badboy baddog badger badgirl baggins bagira baller balloon balloons
balls bambam banana bananas banane bandit bang bangkok banker banshee barbara barbie barcelon barcelona barefoot
barkley barney barry barsik baseball basket basketba bassman batman bayern beaches beagle beaner beanie bear beast
beastie beatles beatrice beauty beaver beavis beckham becky beefcake beer beetle belinda bengals benjamin bennie benny
beretta berlin bernard bernice bertha bessie beth betty beverly bicycle bigbear bigbird bigboy bigdaddy bigdog bigfoot
biggie biggles bigguy bigmac bigman bigmoney bigone bigred bigtime bikini bill billie billy billybob billyboy bimmer
bing bingo birdie birdman biscuit biteme bizkit blabla blackcat blackdog blackhaw blackie blackjac blacks blacky blade
blades blahblah blake blanche blaster blazer blessed blessing blizzard blonde blondes blondie blue bluebird blueboy
bluedog blueeyes bluemoon blues bluesky bobafett bobbie bobby bobcat boeing bogart bogdan bogey bohica bomber bonehead
bones bonjour bonkers bonnie bonsai booger boogie boomboom boomer boots boricua bosco bossman boston bounce bowler
bowling boxing brad bradley brandi brando brandon brandy brasil braves brazil breeze brenda brent brett brian brighton
bristol britney brittany bronco broncos brooklyn brownie browns bruce brucelee bruins brutus bryan bubba bubbas bubble
bubbles bucket buckeye buckeyes buckshot buddha buddy budlight budman budweise buffalo buffett bugger builder bull
bulldog bulldogs bullet bullseye bunny burger buster butch buzzard byron byteme cabbage cactus cadillac caesar calico
caliente californ caligula calvin camaro cambiami camel camelot camels cameron canada cancer cancun candace candle
candyman canon cantona capone captain caramel cardinal carl carla carlos carlton carmen carol carole carolina caroline
carolyn carpet carrera carrie carrot cartman cartoon casanova caserta casey casino casper cassandra cassie catdog
catfish catherin catherine cathy catman cats cavalier caveman ccbill cdtnkfyf cecil cecilia cedric celeron celica
celine celtic celtics cerberus cesar cessna cfitymrf chad chainsaw champ champion champs changeme changemenow chaos
charger chargers charlene charles charli charlie charlott charlotte charlton charly charmed chaser cheers cheese
cheetah chelsea cherokee cherry cheryl chester chevelle chevrole chevy chewie cheyenne chicago chichi chicken chickens
chicks chico chiefs chipper chivas chocolat chopper chris chrisbln chrissy christ christia christian christin
christina christine christop christopher christy chronic chrono chuang chubby chuckles chucky cicero cigars cinder
cindy cinnamon cjkysirj cjkywt claire clancy clapton clara clarence clarinet classic claude claudia clayton clemson
clevelan clifford clifton clinton clipper clover clyde cobra cocacola coconut cody coffee cohiba coke colin colleen
colombia colorado colors coltrane comet commando company compaq compute computer concrete condom condor connect connie
connor constance consumer cookie cookies cooldude cooler coolguy coolio coolman cooter copper cora corey corona
corrado corvette cory cosmo cosmos cosworth cougar courtney cowboy cowboys coyote cracker craig crazybab creamy
creative cricket crimson critter crjhgbjy cruise cruiser crunch crusader crysis crystal cthulhu cthutq cubbies cuddles
cupcake curious curtis custom cutter cxfcnmt cyber cyclone cyclops cynthia cypress daewoo dagger daisy dakota dale
dalejr dallas damon dana dancer dang danger danie daniel danielle daniil danila danni danny dannyboy danzig darkness
darkside darkstar darlene darrell darren darryl daryl datascience dave david davids dawg dawn daytona dbrnjh dbrnjhbz
deadhead deadman dean deanna debbie deborah debra december deejay default defender defiant deftones delbert delete
delores delta denali denise deniska dennis depeche derek derrick desert designer desire deskjet destiny detroit devil
devildog devils devin dexter dfkthbz dfkthf dfktynbyf dfvgbh dharma diablo diamond diamonds diana diane dianne diehard
diesel dietcoke digger digital dilbert dilligaf dima dinamo ding dingdong dinosaur discover disney diver divine
dkflbckfd dkflbvbh doberman doctor dodger dodgeram dodgers dogg doggie doggy dogman dogs dollar dolores dolphin
dolphins dominic domino donald donkey donna donnie donuts doobie doodle doogie dookie dora doris dorothy doug doughboy
douglas dracula drago dragon dragons dragoon dreamer dreams driver drizzt droopy drowssap drpepper drummer dthjybrf
duane dublin ducati duchess duck durango duster dustin dwayne dwight eagle eagles earl earnest eastside eatme eclipse
eddie edgar edith edmund edna eduard eduardo edward edwin eeyore eileen einstein ekaterina elaine eleanor electric
element elephant elizabet elizabeth ella ellen elmer elsie emerald emily eminem emma empire engage engineer enigma
enrique enter enterpri enterprise eric erica ericsson erik erika erin ernest ernesto escort esther eternal eternity
ethel eugene eunice europa evan evelyn everest everett everton excalibu exigen exigent exodus explorer express extreme
fabie fabric facial falcon falcons fall fallen fallout fang fannie fantasy farside faster fatboy fatcat fatman faye
feather february felicia felipe felix fender feng fernand fernando ferrari ferret fester fghtkm fiesta figaro fighter
filter finger fire fireball firebird firefly firefox fireman fish fishes fishing fitness fktrcfylh fktrcfylhf fktrctq
flames flamingo flash flatron fletch flipper floppy flora florence florian florida flounder flower floyd fluffy flyboy
flyers foobar footbal football forest forever forfun formula fortuna fossil foxtrot frances francesc francis francisco
frank franky freaks freaky freckles fred freddie freddy frederick fredrick freedom freeuser friday fright frisco
frisky frodo frog frogger froggy frontier frosty fubar fugazi funtime fusion futbol fyfcnfcbz fylhtq gabrie gabriel
gabriell gail galaxy galina galore gambit gandalf gangster garden garfield gargoyle garry gary gateway gator gators
gbpltw gegcbr geheim gemini gene genesis geneva genevieve genius geoffrey george georgia gerald geraldine gerard
gerardo geronimo gertrude gesperrt getmoney getsome gfhjkm ghbdtn ghbdtnbr ghjcnj ghjcnjnfr ghost giants gilbert gina
ginger giorgi girls gizmo gizmodo gjkbyf gladiator gladys glen glenda glenn gloria gmoney goalie goblin goblue goddess
godfather godsmack godzilla gofish goforit goku golden goldfish goldstar goldwing golf golfball golfer golfing goliath
gollum gonzo goober goodboy goodluck goodtime goofy google goose gopher gorilla gotcha gothic gotohell govols grace
granny greatone greenbay greenday greens greg gregg gregory gremlin grendel gretzky griffey gringo grizzly groove
groovy groucho grumpy guadalupe guardian guillermo guiness guinness guitar gundam gunnar gunner gunners gustav
gwendolyn hacked hacker hairy halflife hallo hambone hamburg hamlet hammer hammers hamster hannah hannibal hansolo
happyday hardrock harley harold harriet harry hattie havefun hawaii hawkeye hawkeyes hayabusa hazel hearts heather
heaven hector hedgehog heidi heineken helen hellfire hello helloo hellyeah helmet helpme hendrix henry herbert herbie
hercules herman hermes hershey hesoyam hidden highland hilda hiphop hithere hitman hjvfirf hobbes hobbit hockey hokies
holiday holly hollywoo homer homers homerun honda hongkong hoosier hoosiers horace horizon horndog hornet horney horse
horses hotdog hotred hotrod hotshot hotstuff hottie hubert hugh hummer hunter hunting hurrican husker huskers huskies
hustler hyperion ibanez icecream iceman idontknow iforgot igor iguana ihateyou illini illusion iloveu iloveyo iloveyou
immortal impala incubus indiana indians indigo inez inferno infiniti infinity insane insert integra internet intrepid
intruder ipython irene irina iris irma ironman isaac isabel israel italia ivan ivanov ivanova iverson iwantu jabroni
jack jackal jackie jacob jacqueline jagger jaguar jaime jamaica james jamesbon jamesbond jamie jammer jane janet
janice janie january jared jarhead jasmine jason jasper java javier jaybird jayhawk jazzman jean jeanette jeanne jedi
jeep jeff jeffery jeffrey jennie jennifer jenny jeremiah jeremy jericho jerome jerry jesse jessic jessica jessie
jester jesus jethro jewels jill jimbo jimbob jimmie jimmy joan joann joanna joanne jodi joel joey johannes john
johnathan johnboy johnnie johnny joker jokers jonathan jonathon jordan jorge jose joseph josephine joshua joyce jrcfyf
juan juanita judith judy juggalo juice julia julian julie julio julius july jumper june junebug jungle junior jupiter
jupyter jupyterhub jupyterlab justdoit justice justin justme juventus kahuna kaktus kamikaze kangaroo kansas karate
karen karina karl karolina kashmir kasper katana katerina katherine kathleen kathryn kathy katie katrin katrina
kawasaki kayla keeper keith kelly kelvin kenneth kenny kenshin kent kenwood kenworth kerry kevin keyboard keystone
keywest kicker killbill killer killme kimberly kingfish kingkong kingpin kingston kinky kipper kirill kirk kisses
kissme kitkat kitten kitty kittycat klaster klingon knickers knicks knights knopka kodiak kolobok kool korn koshka
kosmos kostya kotenok krishna kristen kristi kristin kristina kristine kristy ktyjxrf kume kungfu kurt kyle labrador
labtec lacrosse ladybug laguna lakers lance lancelot lancer lansing laptop larisa larry laser lasvegas latino laura
lauren laurie lawrence leah leather ledzep legacy legend legion legolas lena lennon leon leona leonard leonid leopard
leroy leslie lespaul lestat lester letmein letmeinnow letsgo lexmark liberty lifehack lightnin lightning lights
lillian lillie linda lindsay lindsey lion lionking liquid lisa liverpoo liverpool lizard lloyd lobster loco login
logitech lois lokomotiv lola lolipop lollipop lollol london lonestar lonewolf longhorn lonnie looker looser loren
lorenzo loretta lori lorraine loser losers louis louise love loveit lovely loveme lover loverboy lovers loveyou lowell
lowrider lucifer lucille lucky luckydog lucy luis luke lula luther lvbnhbq lydia lyle lynda lynn mabel macdaddy
machine macross maddie maddog madeline madison madman madmax madness madonna maestro maggie maggot magic magick
magicman magnum magnus magpie maiden mailman majestic makaveli maksim malaka malcolm malibu malina mallard mamapapa
mamie manchest manchester maniac manson manuel manutd maradona marathon marc march marcia marco marcus margaret
margarita margie marguerite maria marian marie marilyn marina marine mariners marines marino mario marion marius
marjorie mark marlboro marlene marley marsha martha martini marvin mary maryann maryjane massive maste master matador
mathew matrix matt matthew mattie mature maureen maurice maverick maxell maxima maximus maxine maxwell maxx mayday
mayhem mazafaka meatball meathead meatloaf mechanic megadeth megaman megan megatron melanie melinda melissa mellon
mellow melody melvin memorex memphis menace meowmeow mercedes mercury meridian merlin mersedes metallic metallica
mexico miami michael micheal michele michelle michigan mickey microlab micron microsof microsoft midget midnight
midway mighty miguel mike mikey milana milano mildred milena milton minecraft minime minnie mirage miriam misfit
mishka mister misty mittens mnbvcxz mojo molly moloko molson momoney monaco monalisa monday mondeo money moneyman
moneys mongoose monica monique monitor monke monkey monkeys monopoly monster montana montreal moocow mookie moomoo
moonlight moose morpheus moscow mother motherlode motorola mountain mouse mozart muffin mulder multiplelo munchkin
muppet muscle mushroom musica musicman mustang mustangs mustard mybaby mylife mylove mypassword myron myrtle mystic
nancy naomi napster naruto nascar nasty nastya natali natalie natasha nathan nathaniel nbgate nebraska neil nellie
nemesis neptune nevada newbie newcastl newlife newpassword newport newyork nfnmzyf nicholas nick nickel nicola nicole
nike nikita nikola nikolay nimrod nina niners ninja nintendo nipper nirvana nissan nitram noel nofear nokia nolimit
noodle noodles nora norma norman notebook november nugget nuttertools nyjets nylons nymets oakland oasis obiwan
oblivion october ohyeah oilers oksana oldman oleg olga oliver olivia olivier omar omega onelove online onlyme opal
openup operator optimus oracle orange oranges orchid orioles orion orlando oscar osiris otis outkast outlaw overkill
overlord oxford pablo packard packer packers pacman padres paintbal paintball pakistan paladin pamela panama panasoni
panasonic pancho panda pandora pantera panther panthers panzer paradise paradox parola parrot pascal passat passion
passme passphrase passport passwd passwor password passwords passwort patches patricia patrick patriot patriots patsy
paul paula pauline pavilion peaches peanut peanuts pearl pearljam pebbles pedro peekaboo peewee pegasus peggy pencil
penguin penguins penny penthous pentium pepper pepsi pete peter peterpan peugeot phantom philip philippe philips
phillies phillip philly phish phoenix photos phpbb phyllis pianoman picard picasso piccolo pickle pickles pics piglet
pikachu pillow pineappl ping pingpong pinhead pink pinkfloy pioneer pippen pirate pirates pisces pistol pitbull pizza
planet plastic platinum player playtime plumber plymouth pobeda poison poiuyt poiuytrewq pokemon polaris police polina
polo polska pompey poncho pontiac pony poochie poodle pooh poohbear pookie poop poopie poopoo pooter popcorn popeye
poppy porkchop porsche portland portugal poseidon possum postal potato powder precious predator prelude presario
presto preston primus prince princes princess printer priscilla prissy private privet prodigy prophet proxy psycho
pudding pumpkin punisher punkin punkrock puppies puppy pupsik purdue purple putter pyramid python qawsed qawsedrf
qazqaz qazwsx qazwsxed qazwsxedc qazxsw qazxswedc quantum quartz quattro queens qwaszx qweasd qweasdzxc qweqwe
qwerasdf qwert qwerty qwertyu qwertyui qwertyuio qwertyuiop qwertz rabbit rabota racecar racer racerx rachel racing
rafael ragnarok raider raiders rainbow rainman raistlin ralph rambler rambo rammstein ramon ramona ramses randall
randolph random randy ranger rangers raptor rascal rasputin rasta rastaman raul raven ravens raymond razz rbhbkk
rctybz realmadrid reaper rebecca rebel rebels redalert redbull reddog redfish redhead redhot redman redrum redskins
redsox redwing redwings redwood reebok reefer regina reginald renault rene renee renegade rereirf rescue rfhbyf
rfnthbyf rfrfirf rfrnec rhbcnbyf rhfcjnrf rhonda ricardo richard rick rickey ricky rightnow ripken ripper ripple rita
rjirfrgbde rjntyjr rjycnfynby roadkill roadking robert roberta roberto robin robotech rocker rocket rockets rockford
rockon rocks rockstar roderick rodman rodney rodolfo roger roland roller rolltide romashka rommel ronald ronaldo
ronnie rookie roosevelt rooster root rootbeer rosa rose rosebud rosemary rosie rotten rover rovers royals rtyuehe
rubber ruben ruby rudolph rudy rulez runescape runner ruslan russell russia rustam ruth ryan sabbath sabine sabres
sabrina safari sailboat sailing sailor saints sakura salamander sally salmon salvador salvatore samantha samiam samson
samsung samuel samurai sandiego sandman sandra sandro sandy sapper sapphire sara sarah saratoga sascha sassy sasuke
satan saturday saturn saun sauron sausage sayang scania scanner scarface scarlet science scooby scoobydo scooter
scorpio scorpion scotch scotland scott scotty scout scrappy scream scruffy scuba scully seamus sean searay seattle
sebastia secret security seeker seinfeld select seminole semperfi sentinel septembe september serega serenity sergei
sergey sergio sersolution server sesame seth shado shadow shalom shaman shamrock shane shania shannon shaolin shark
sharks sharky sharon shasta shaun shaved shawn shazam sheila shelby shelley shelly sherlock sherman sherri sherry
sheryl shiloh shirley shogun shooter shorty shotgun shou showme showtime shun sidney siemens sierra silver simba
simple simpsons sinatra sinbad sinner sirius sithlord sixers skater skeeter skidoo skiing skinny skipper skippy
skittles skorpion skydive skyline skywalke skywalker slacker slappy slapshot slayer sleepy slider slinky slipknot
smeghead smelly smiles smiley smitty smoke smoker smokes smokey smokin smooth smudge snake snakes snapon snapper
snapple sneakers snickers sniper snoop snoopdog snoopy snowball snowboar snowman snuggles sobaka soccer socrates
softball software soldier soleil solnce sommer sonia sonic sonics sony sonya sooners sophie southpark spaceman sparkle
sparky sparta spartak spartan spartans spawn speaker spectrum speedy spider spiderma spiderman spidey spike spirit
spitfire splash splinter spongebob spooky spring sprint sprite spurs sputnik spyder squash squirrel srinivas stacey
stacy stalker stallion stanley star starbuck starcraft stardust starfire starfish stargate starman starship startrek
starwars static stealth steeler steelers stefano stella steph stephani stephanie stephen stereo sterlin steve steven
sticks sticky stimpy sting stinger stingray stinky stocks stonecol stoned stones stoney storm stormy stranger strider
strike striker stuart stumpy stunner stupid subaru sublime subway success sugar sultan summer summit sundance sunday
sunflowe sunnyday sunrise sunset sunshin sunshine super superfly superman supersta superstar surf surfer surfing susan
susie suzanne suzuki svetik svetlana swallow sweetpea sweets sweety swimmer swimming sword swordfis swordfish swords
sydney sylvester sylvia syncmaster syracuse tacobell tacoma tamara tammy tango tanker tanya tara tardis target tarheel
tarheels tarzan tattoo tatyana taurus tazman tazmania tdutybq teacher technics techno tekken telefon temp tempest
tennis tequila teresa terminator terrance terrapin terrence terri terror terry test tester testing thailand thanatos
thankyou theboss thecat thedog theend thegame thegreat thekid theking thelma theman theodore theone thepassword
theresa therock thesims thirteen thomas thor thuglife thunder thursday tiberius tickle tiffany tiger tigers tigger
timber timothy tina tinker tinkerbell tinman tintin titanic titanium titans titleist todd tolkien tomato tomcat tommy
tommyboy toni tony tonya tootsie topcat topdog topher topper tornado toronto toshiba tottenha toyota tracey tracker
tractor tracy trader trance transam translator trapper travel traveler travis treasure trebor trevor trfnthbyf
triangle tricky trident trigger trinity triton triumph trixie trombone trooper trouble troy truck trucker trucks
truelove trumpet trunks tsunami tuesday tunafish tundra turbo turkey turtle tweety twilight twinkle twisted twister
tyler typhoon tyrone ufkbyf ultima ultimate umbrella underdog undertaker unicorn unreal usarmy usmc usnavy utopia
vacation vader valentin valentina valera valerie valhalla vampire vanessa vanhalen vanilla vector vectra vegeta velma
velvet vera verbatim veritas vermont verna vernon veronica veronika vertigo vette vfczyz vfhbyf vfhecz vfhufhbnf
vfksirf vfrcbv vfrcbvrf vfvekz vfvfgfgf vfvjxrf viagra vicki vickie victor victoria victory viewsonic viking vikings
viktor viktoria vincent viola violet viper vipers virgil virginia vision vitalik vivian vkontakte vladik vladimir
vladislav volley volvo voodoo vortex voyager vulcan walleye walmart walnut walrus walter wanda wapbbs warcraft
warhammer warlock warlord warrior warriors warthog wasser wassup watcher waterloo wayne weasel webmaster wednesday
weezer welcome welder wendell wendy werewolf wesley westham westside westwood whatever whatsup wheels whiskers whiskey
whisky whisper whitesox whitey whocares whynot wibble wicked wilbur wildcat wildcats wildfire wildman willard william
willow wilma windows windsor winner winston winter wisdom wizard wolfgang wolfie wolfman wolfpack wolverin wolverine
wolves wombat woody woofwoof woohoo wookie wrangler wrestlin wutang xanadu xavier xfiles xtreme yamaha yankee yankees
ybrbnf ybrjkfq yellow yfnfif yolanda yomama yosemite yourmom ytrewq yvette yvonne yzerman zachary zaphod zaqwsx zaqxsw
zenith zeppelin zerocool zeus zidane ziggy zigzag zipper zombie zorro zvezda zxcasd zxcasdqwe zxcvbn zxcvbnm
""".split()  # noqa: SIM905 - three thousand rows
)
