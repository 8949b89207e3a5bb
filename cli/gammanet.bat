@echo off
rem Starts the gammanet command of an unpacked archive on Windows, as the script gammanet does elsewhere.
rem Environment: JAVA_HOME           a JDK 22 or newer, where the archive has no Java of its own
rem              GAMMANET_JAVA_OPTS  more options for the JVM, such as -Xmx8g
rem              GAMMANET_LIBTORCH   folder of another LibTorch (see README.md)
rem              GAMMANET_CACHE      folder for unpacked libraries; default %LOCALAPPDATA%\gammanet
setlocal DisableDelayedExpansion
set "root=%~dp0.."
if exist "%root%\lib\modules" goto unpacked
echo gammanet: "%root%\lib\modules" is missing: this script belongs to an unpacked archive. 1>&2
exit /b 1
:unpacked
set "java=%root%\runtime\bin\java.exe"
if not exist "%java%" if defined JAVA_HOME set "java=%JAVA_HOME%\bin\java.exe"
if not exist "%java%" set "java=java.exe"

rem The command, and whether help is asked for.
set "command="
set "help="
:words
if [%1]==[] goto known
set word=%1
set "word=%word:"=%"
if "%word%"=="-h" set "help=yes"
if "%word%"=="--help" set "help=yes"
if not defined command if defined word if not "%word:~0,1%"=="-" set "command=%word%"
shift /1
goto words
:known

rem A command that is over in a moment, or spends its time in native code, does not pay for optimizing it, nor for
rem several threads of the collector.
set "quick=yes"
for %%c in (view train evaluate ablate insilico opto bench) do if "%command%"=="%%c" set "quick="
if defined help set "quick=yes"
set "kind="
set "mode=-XX:+UseParallelGC"
if defined quick (
  set "kind=-quick"
  set "mode=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
)
set "vector="
if "%command%"=="bench" set "vector=--add-modules jdk.incubator.vector"

rem The JVM keeps loaded classes in an archive, which it checks and renews itself. It is code, so that it lies only
rem where nobody else may write: among the user's own data, not in a folder that GAMMANET_CACHE names.
if "%command%"=="detect" set "kind=%kind%-detect"
set "archive=-Xshare:auto"
if defined LOCALAPPDATA if not exist "%LOCALAPPDATA%\gammanet\classes" mkdir "%LOCALAPPDATA%\gammanet\classes" 2>nul
set "place=%~dp0"
set "place=%place::=%"
set "place=%place:\=-%"
set "place=%LOCALAPPDATA%\gammanet\classes\%place: =-%%kind%.jsa"
if defined LOCALAPPDATA if exist "%LOCALAPPDATA%\gammanet\classes" set archive=-XX:+AutoCreateSharedArchive "-XX:SharedArchiveFile=%place%"

rem OpenMP's threads spin while they wait: slow on a busy machine.
if not defined OMP_WAIT_POLICY set "OMP_WAIT_POLICY=passive"

"%java%" %vector% -Xlog:disable %mode% -XX:MaxNewSize=128m ^
  --enable-native-access=org.gammanet.torch,ALL-UNNAMED %GAMMANET_JAVA_OPTS% %archive% ^
  -p "%root%\lib\modules" -cp "%root%\lib\libtorch\*" ^
  -m org.gammanet.cli/org.gammanet.cli.GammanetCommand %*
exit /b %ERRORLEVEL%
